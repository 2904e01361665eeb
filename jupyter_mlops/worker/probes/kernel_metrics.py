"""Reads metrics from a Python kernel after the last cell. Sent to the kernel: standard library only."""

import json


def read_numbers(namespace: dict, names: list) -> str:  # type: ignore[type-arg]
    """The named variables that are numbers, as JSON with NaN and Infinity."""
    values = {}
    for name in names:
        root, *attributes = name.split(".")
        if root not in namespace:
            continue
        try:
            value = namespace[root]
            for attribute in attributes:
                value = getattr(value, attribute)
            if isinstance(value, (str, bytes, bytearray, complex)) or not (
                hasattr(value, "__float__") or hasattr(value, "__index__")
            ):
                continue
            number = float(value)
        except Exception:  # a notebook's object may raise anything; then it is no number
            continue
        values[name] = number
    return json.dumps(values)


def read_mlflow(owner: str, given: bool) -> str:
    """The latest metrics of this run's MLflow runs; of equal names, outer runs win over inner, later over earlier.

    Args:
        owner: value of the tag ``mlops.owner``.
        given: whether ``owner`` is also the id of the MLflow run that the notebook logs to.
    """
    import mlflow

    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    inner, outer = [], []  # type: ignore[var-annotated]
    token = None
    while experiments:
        page = client.search_runs(
            experiments,
            filter_string="tags.`mlops.owner` = '%s'" % owner,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        for run in page:
            (outer if run.data.tags.get("mlflow.parentRunId") == owner else inner).append(run)
        token = page.token
        if not token:
            break
    values = {}
    for run in inner + outer + ([client.get_run(owner)] if given else []):
        values.update(run.data.metrics)
    return json.dumps(values)

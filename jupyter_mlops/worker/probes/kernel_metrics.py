"""What a Python kernel is asked after the last cell. Its text is sent to the kernel: standard library only."""

import json


def read_numbers(namespace: dict, names: list) -> str:  # type: ignore[type-arg]
    """The named variables that are numbers, as JSON that may have NaN and Infinity."""
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
        except Exception:  # whatever a notebook's own object raises: then it is no number
            continue
        values[name] = number
    return json.dumps(values)


def read_mlflow(owner: str, given: bool) -> str:
    """The latest metrics of the MLflow runs that belong to this one; of equal names the outer and later run's count.

    Args:
        owner: whose tag they bear.
        given: whether ``owner`` is an MLflow run itself, in which the notebook was to log.
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

"""What a Python kernel is asked after the last cell. Its text is sent to the kernel: standard library only."""

import json
import math


def read_numbers(namespace: dict, names: list) -> str:  # type: ignore[type-arg]
    """The named variables that are numbers, as JSON ``{"values": {...}, "problems": [...]}``."""
    values, problems = {}, []  # type: ignore[var-annotated]
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
        if math.isfinite(number):
            values[name] = number
        else:
            problems.append("The metric '%s' is %r, which is not a number to compare by." % (name, number))
    return json.dumps({"values": values, "problems": problems})


def read_mlflow(parent: str) -> str:
    """The latest metrics of all MLflow runs that the notebook made itself; later runs win."""
    import mlflow

    client = mlflow.MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    values, problems = {}, []  # type: ignore[var-annotated]
    token = None
    while experiments:
        page = client.search_runs(
            experiments,
            filter_string="tags.`mlflow.parentRunId` = '%s'" % parent,
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        for run in page:
            for name, number in run.data.metrics.items():
                if math.isfinite(number):
                    values[name] = number
                else:
                    problems.append("The metric '%s' is %r, which is not a number to compare by." % (name, number))
        token = page.token
        if not token:
            break
    return json.dumps({"values": values, "problems": sorted(set(problems))})

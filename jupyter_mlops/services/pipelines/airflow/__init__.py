"""Export of a pipeline as a DAG for Airflow."""

"""JSON logs, metrics, traces and audit events; decides nothing."""

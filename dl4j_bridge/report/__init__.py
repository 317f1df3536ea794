"""Pages and plots of runs, comparisons and diagnoses, made from plain data: nothing here knows a task or a job."""

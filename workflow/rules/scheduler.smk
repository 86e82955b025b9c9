"""Three mends of Snakemake's planning and scheduling.

input:   none
output:  none
"""

import gc

gc.set_threshold(50_000, 20, 100)  # a graph of 24,000 jobs is no garbage: looking through it is a tenth of planning


def forget_no_job(executor):
    """Keep SLURM's jobs in mind when nobody answers where they are; its plugin (2.8) drops them all then, and waits for ever."""
    if not hasattr(executor, "_status_query_calls"):
        return
    ask = executor.check_active_jobs

    async def check_active_jobs(jobs):
        answers = executor._status_query_calls
        async for job in ask(jobs):
            yield job
        if jobs and executor._status_query_calls == answers:
            logger.warning(f"SLURM does not answer; {len(jobs)} jobs in its queue are asked for again later.")
            for job in jobs:
                yield job

    executor.check_active_jobs = check_active_jobs


onstart:
    # Snakemake 9.27 looks for jobs to start once a second more for every job that has ended, to keep to a limit of jobs a
    # second that nothing here needs: after a hundred jobs that takes a good part of a core.
    workflow.scheduler.job_rate_limiter = None
    forget_no_job(workflow.scheduler._executor)

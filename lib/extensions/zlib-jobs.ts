// Work for the thread pool comes in and is begun in turn, so much of it at once over the whole process. Knows nothing of the work.

/** Something to be done in the thread pool. */
export interface Job {
  /** Begins it; calls `leave` when it is done. */
  begin(): void
}

interface Waiting {
  readonly job: Job
  readonly limit: number
  next: Waiting | null
}

/** Zlib's memory comes and goes in large pieces: many jobs at once tear holes into the heap of the process. */
export class JobQueue {
  private running = 0
  private first: Waiting | null = null
  private last: Waiting | null = null
  private beginning = false

  /** @param limit - the job begins when fewer than these are under way; those that came before it go first */
  enter(job: Job, limit: number): void {
    const waiting = { job, limit, next: null }
    if (this.last === null) this.first = waiting
    else this.last.next = waiting
    this.last = waiting
    this.proceed()
  }

  /** A job is done. */
  leave(): void {
    this.running--
    this.proceed()
  }

  private proceed(): void {
    // a job that is over as soon as it begins comes back here
    if (this.beginning) return
    this.beginning = true
    while (this.first !== null && this.running < this.first.limit) {
      const { job, next } = this.first
      this.first = next
      if (next === null) this.last = null
      this.running++
      job.begin()
    }
    this.beginning = false
  }
}

/** The one of this process. */
export const jobs = new JobQueue()

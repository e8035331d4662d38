/** Time of the processor: what a test may hold to a limit on a machine that other work shares. */

/** Starts a count; the function gives the seconds of processor time (user and system) that this process has used since. */
export function processorTime(): () => number {
  const start = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1e6
  }
}

/**
 * A reporter for vitest: names every skipped test with its reason, and closes with the line `N passed, N failed, N skipped`.
 * A run that executed no test fails. In CI a skipped test fails too: there, everything that a test needs is there.
 */

/** @typedef {import('vitest/node').TestModule} TestModule */

export default class SummaryReporter {
  /**
   * @param {readonly TestModule[]} modules
   * @param {readonly unknown[]} errors outside of tests
   * @param {string} reason
   */
  onTestRunEnd(modules, errors, reason) {
    const summary = summarise(modules, errors.length)
    for (const { name, why } of summary.skips) process.stdout.write(`skipped: ${name}${why === undefined ? '' : ` (${why})`}\n`)
    const verdict = verdictOf(summary, { ci: Boolean(process.env.CI), interrupted: reason === 'interrupted' })
    if (verdict !== undefined) {
      process.stdout.write(`${verdict}\n`)
      process.exitCode = 1
    }
    process.stdout.write(`\n${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped\n`)
  }
}

/**
 * Counts tests. What failed outside of a test (a file that does not load, an unhandled error) counts as one failure each.
 * @param {readonly TestModule[]} modules
 * @param {number} unhandled
 */
export function summarise(modules, unhandled) {
  /** @type {{ name: string, why: string | undefined }[]} */
  const skips = []
  const summary = { passed: 0, failed: unhandled, skipped: 0, skips }
  for (const module of modules) {
    let failedTests = 0
    for (const test of module.children.allTests()) {
      const result = test.result()
      if (result.state === 'passed') summary.passed++
      else if (result.state === 'failed') failedTests++
      else {
        summary.skipped++
        skips.push({ name: test.fullName, why: result.state === 'skipped' ? result.note : 'did not run' })
      }
    }
    summary.failed += failedTests === 0 && module.state() === 'failed' ? 1 : failedTests
  }
  return summary
}

/**
 * Why the run fails although vitest may call it passed.
 * @param {{ passed: number, failed: number, skipped: number }} summary
 * @param {{ ci: boolean, interrupted: boolean }} run
 * @returns {string | undefined}
 */
export function verdictOf({ passed, failed, skipped }, { ci, interrupted }) {
  if (interrupted) return 'The run was interrupted.'
  if (passed + failed === 0) return 'No test was executed.'
  if (ci && skipped > 0) return `${skipped} skipped in CI: a test that does not run there is a failure.`
  return undefined
}

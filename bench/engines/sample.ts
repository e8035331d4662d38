/**
 * How often a run is repeated, one rule for all engines: warmed up for at least 300 ms, then seven samples of about 100 ms each, of
 * which the median counts. Large products on a software adapter are given three samples of one run, after the first call has warmed
 * them up; those that take seconds are given one.
 */
export interface Samples {
  /** Milliseconds of one run, a figure a sample, in the order taken. */
  readonly samples_ms: readonly number[]
  /** Runs within each sample. */
  readonly repeats: number
}

export interface SampleRule {
  readonly warm_ms: number
  readonly sample_ms: number
  readonly samples: number
}

const REPEATED: SampleRule = { warm_ms: 300, sample_ms: 100, samples: 7 }
const ONCE: SampleRule = { warm_ms: 0, sample_ms: 0, samples: 1 }
const THRICE: SampleRule = { ...ONCE, samples: 3 }
/** A first call longer than this is of a product that is run once more. */
const LONG_MS = 1500
/** A sample never holds more runs than this. */
const MOST_REPEATS = 4096

/**
 * @param sparing whether this is a large product on a software adapter
 * @param first_ms what the first call took
 */
export function ruleFor(sparing: boolean, first_ms: number): SampleRule {
  if (!sparing) return REPEATED
  return first_ms > LONG_MS ? ONCE : THRICE
}

/**
 * Where the first call says little, since making the session is in it: by what a second run takes.
 * @param long_ms runs that are longer are sampled three times, one run each
 */
export function ruleAfter(second_ms: number, long_ms: number): SampleRule {
  return second_ms > long_ms ? THRICE : REPEATED
}

/** Sampling kernels by the device's clock takes about this long at most, beyond three runs. */
const KERNELS_MS = 3000

/** How many runs are timed by the device's clock: as many as were sampled by the wall clock, of slow ones three. */
export function kernelSamples({ samples }: SampleRule, { samples_ms }: Pick<Samples, 'samples_ms'>): number {
  return Math.min(samples, Math.max(3, Math.floor(KERNELS_MS / median(samples_ms))))
}

/** Times `run(n)`, which does n runs and waits for the last of them. */
export async function sample(run: (repeats: number) => Promise<void>, rule: SampleRule): Promise<Samples> {
  const time = async (repeats: number): Promise<number> => {
    const begin = performance.now()
    await run(repeats)
    return performance.now() - begin
  }
  let repeats = 1
  let warmed = 0
  while (warmed < rule.warm_ms) {
    const elapsed = await time(repeats)
    warmed += elapsed
    repeats = repeatsFor(elapsed / repeats, rule.sample_ms)
  }
  const samples_ms: number[] = []
  while (samples_ms.length < rule.samples) samples_ms.push((await time(repeats)) / repeats)
  return { samples_ms, repeats }
}

/** Runs of `each_ms` that fill `sample_ms`: at least one. */
export function repeatsFor(each_ms: number, sample_ms: number): number {
  return Math.max(1, Math.min(MOST_REPEATS, Math.round(sample_ms / Math.max(each_ms, 1e-3))))
}

/** The middle one, or the mean of the middle two. @throws Error for no values */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.floor(sorted.length / 2)]]
  if (low === undefined || high === undefined) throw new Error('There is no median of no values')
  return (low + high) / 2
}

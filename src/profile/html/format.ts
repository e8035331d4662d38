/** Numbers as people read them. Every figure on the page goes through here, so that columns line up and units agree. */

const PREFIXES = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const

/** Four significant digits with a decimal prefix: 724.4 M, 61.0 M, 12. Thousandths and less as 3.1e-5. */
export function si(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  for (const [scale, prefix] of PREFIXES) {
    if (size >= scale * 0.99995) return `${significant(value / scale)} ${prefix}`
  }
  return significant(value)
}

/** For an axis: 200M, 1.5k, 0.02; no trailing zeros. */
export function tick(value: number): string {
  const size = Math.abs(value)
  for (const [scale, prefix] of PREFIXES) {
    if (size >= scale) return `${Number((value / scale).toPrecision(3))}${prefix}`
  }
  if (size !== 0 && size < 1e-3) return value.toExponential().replace('e-', 'e−')
  return String(Number(value.toPrecision(3)))
}

function significant(value: number): string {
  const size = Math.abs(value)
  if (size === 0) return '0'
  if (size < 1e-3) return value.toExponential(2)
  if (Number.isInteger(value) && size < 1e4) return String(value)
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3
  return value.toFixed(digits)
}

/** 1,234,567 */
export function integer(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function fixed(digits: number): (value: number) => string {
  return (value) => value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Milliseconds given; a unit that suits: 850 ns, 12.34 µs, 3.21 ms, 1.234 s. */
export function duration(ms: number): string {
  if (ms === 0) return '0 ms'
  if (ms < 1e-3) return `${significant(ms * 1e6)} ns`
  if (ms < 1) return `${significant(ms * 1e3)} µs`
  if (ms < 1000) return `${significant(ms)} ms`
  return `${significant(ms / 1000)} s`
}

export function percent(value: number): string {
  return `${(value * 100).toFixed(1)} %`
}

/** An error: 0 exactly, else two digits and an exponent. */
export function error(value: number): string {
  return value === 0 ? '0' : Number.isFinite(value) ? value.toExponential(1) : String(value)
}

/** 1.6×; large ratios without decimals. */
export function ratio(value: number): string {
  return `${value >= 100 ? integer(value) : value >= 10 ? value.toFixed(1) : value.toFixed(2)}×`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${integer(count)} ${count === 1 ? one : many}`
}

/** a, b and c */
export function listed(names: readonly string[]): string {
  if (names.length <= 1) return names[0] ?? ''
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`
}

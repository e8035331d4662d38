/** Tables and figures for people. */
import Table from 'cli-table3'
import type { Colors } from './context.ts'

export interface Column {
  readonly title: string
  /** Figures stand at the right (default left). */
  readonly align?: 'left' | 'right'
}

/** A borderless table with a ruled head. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], colors: Colors): string {
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
  }
  const out = new Table({
    head: columns.map(({ title }) => colors.bold(title)),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: { ...none, left: '', right: '', middle: '  ', mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) out.push([...row])
  const lines = out
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
  const width = Math.max(0, ...lines.map(visibleLength))
  return [lines[0] ?? '', colors.dim('─'.repeat(width)), ...lines.slice(1)].join('\n')
}

function visibleLength(line: string): number {
  return [...line.replaceAll(/\u001B\[[0-9;]*m/g, '')].length
}

/** 724406816 → 724,406,816. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 0 })
}

/** Three digits and a unit: 724 M, 15.5 G, 1.00 k; whole numbers below a thousand as they are. */
export function short(value: number): string {
  const units = ['', ' k', ' M', ' G', ' T', ' P']
  let scaled = value
  let unit = 0
  while (Math.abs(scaled) >= 999.5 && unit < units.length - 1) {
    scaled /= 1000
    unit++
  }
  const digits = scaled.toPrecision(3)
  return `${unit === 0 || Math.abs(scaled) >= 999.5 ? Number(digits) : digits}${units[unit]}`
}

/** 1.23 ms, 4.56 s, 78.9 µs. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toPrecision(3)} s`
  if (milliseconds >= 1) return `${milliseconds.toPrecision(3)} ms`
  return `${(milliseconds * 1000).toPrecision(3)} µs`
}

/** 128 MiB, 4.0 GiB. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let scaled = value
  let unit = 0
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024
    unit++
  }
  return `${Number(scaled.toPrecision(4))} ${units[unit]}`
}

/** 2.3e-6: two digits, for errors and scores that span magnitudes. */
export function scientific(value: number): string {
  return value === 0 ? '0' : Number.isFinite(value) ? value.toExponential(1) : String(value)
}

/** [1, 3, 224, 224] → 1×3×224×224; a scalar is `scalar`. */
export function dimensions(shape: readonly (number | string)[]): string {
  return shape.length === 0 ? 'scalar' : shape.join('×')
}

/** Tables and lines of results are at most this wide. */
export const WIDTH = 120

/** A line broken at spaces so that it fits; what goes on below is indented. A word longer than the width stays whole. */
export function wrapped(line: string, indent = 2): string {
  const lines: string[] = []
  let current = ''
  for (const word of line.split(' ')) {
    const longer = current === '' ? word : `${current} ${word}`
    if (current.trim() !== '' && visibleLength(longer) > WIDTH) {
      lines.push(current)
      current = ' '.repeat(indent) + word
    } else current = longer
  }
  return [...lines, current].join('\n')
}

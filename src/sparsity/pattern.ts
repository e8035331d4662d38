/**
 * What a pruned weight looks like: a pattern says which weights may become zero together. Think of shapes of holes, from grains
 * of sand (`unstructured`) to whole planks (`filter`):
 *
 *     2:4               unstructured      block 2x4         filter            channel
 *     x . . x  . x x .  x . . x  . . x .  x x x x  . . . .  x x x x  x x x x  x . x x  . x x .
 *     . x . x  x . . x  . . x .  x . . .  x x x x  . . . .  . . . .  . . . .  x . x x  . x x .
 *
 * (rows: filters; columns: input channels, and for blocks the taps of each.)
 */
import { OptionError } from '../errors.ts'
import { GROUP } from './two-of-four.ts'

export interface TwoOfFourPattern {
  readonly kind: '2:4'
  /** Neighbouring filters that keep the same two of four channels. */
  readonly share: number
}

export interface PartPattern {
  readonly kind: 'unstructured' | 'filter' | 'channel'
  /** Part of the weights, filters or input channels that becomes zero, from 0 to 1. */
  readonly sparsity: number
}

export interface BlockPattern {
  readonly kind: 'block'
  /** Filters that a block spans. */
  readonly rows: number
  /** Weights of a filter that a block spans, in the order in which they lie: channel by channel, tap by tap. */
  readonly columns: number
  /** Part of the blocks that becomes zero, from 0 to 1. */
  readonly sparsity: number
}

export type PrunePattern = TwoOfFourPattern | PartPattern | BlockPattern

export const PATTERN_EXAMPLES = ['2:4', '2:4x32', 'unstructured:0.8', 'filter:0.5', 'channel:0.5', 'block:4x4:0.5'] as const

const REMEDY = `Give one such as ${PATTERN_EXAMPLES.join(', ')}`
const MOST = 2 ** 31

/**
 * A pattern from its text: `2:4` (`2:4x32`: 32 neighbouring filters share positions), `unstructured:PART`, `filter:PART`,
 * `channel:PART`, `block:ROWSxCOLUMNS:PART`.
 * @throws OptionError for another text, a part that is not from 0 to 1, or counts below 1
 */
export function parsePattern(text: string): PrunePattern {
  const shared = /^2:4(?:x(\d+))?$/.exec(text)
  if (shared !== null) return checkPattern({ kind: '2:4', share: Number(shared[1] ?? 1) })
  const [kind = '', ...rest] = text.split(':')
  const [part = ''] = rest.slice(-1)
  const sparsity = /^(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(part) ? Number(part) : NaN
  if (kind === 'unstructured' || kind === 'filter' || kind === 'channel') {
    if (rest.length !== 1) throw misread(text, `${kind} takes the part that becomes zero, as ${kind}:0.5`)
    return checkPattern({ kind, sparsity }, text)
  }
  if (kind === 'block') {
    const size = /^(\d+)x(\d+)$/.exec(rest[0] ?? '')
    if (rest.length !== 2 || size === null) throw misread(text, 'a block takes its rows and columns and the part, as block:4x4:0.5')
    return checkPattern({ kind, rows: Number(size[1]), columns: Number(size[2]), sparsity }, text)
  }
  throw misread(text)
}

/** The text that `parsePattern` reads as this pattern. */
export function patternName(pattern: PrunePattern): string {
  switch (pattern.kind) {
    case '2:4':
      return pattern.share === 1 ? '2:4' : `2:4x${pattern.share}`
    case 'block':
      return `block:${pattern.rows}x${pattern.columns}:${pattern.sparsity}`
    case 'unstructured':
    case 'filter':
    case 'channel':
      return `${pattern.kind}:${pattern.sparsity}`
  }
}

/**
 * The same pattern, found to be one.
 * @param text what it was read from, for the error
 * @throws OptionError for a part that is not from 0 to 1, or counts below 1
 */
export function checkPattern<P extends PrunePattern>(pattern: P, text = patternName(pattern)): P {
  const counts = pattern.kind === '2:4' ? [pattern.share] : pattern.kind === 'block' ? [pattern.rows, pattern.columns] : []
  if (!counts.every((count) => Number.isSafeInteger(count) && count >= 1 && count < MOST)) {
    throw misread(text, pattern.kind === '2:4' ? 'share at least 1 filter' : 'a block has at least 1 row and 1 column')
  }
  if (pattern.kind === '2:4' && pattern.share !== 1 && pattern.share % GROUP !== 0) {
    throw misread(text, 'filters that share positions are 1, or a multiple of 4')
  }
  if (pattern.kind !== '2:4' && !(pattern.sparsity >= 0 && pattern.sparsity <= 1)) {
    throw misread(text, 'the part that becomes zero is a number from 0 to 1')
  }
  return pattern
}

function misread(text: string, why?: string): OptionError {
  return new OptionError(`${JSON.stringify(text)} is no pruning pattern${why === undefined ? '' : `: ${why}`}`, { remedy: REMEDY })
}

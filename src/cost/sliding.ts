/**
 * The sliding window: input rows (columns) that two loops reach together, h = p·U + r·D. Think of a tile as the set of rows that
 * an interval of p and an interval of r span; neighbouring tiles overlap, in time (a halo kept from the step before) and in space
 * (a halo read once for several children).
 *
 * The rows of one dimension pair are counted over all states of their own loops only; loops of other dimensions repeat the same
 * states, so `counts.ts` multiplies. States of the same shape are counted once, wherever they lie, unless padding is told apart.
 */
import type { Digit } from './loops.ts'

/** What a loop does between a parent and its child. */
export type Role = 'free' | 'child' | 'tile'

export interface Line {
  readonly extent: number
  /** Rows that one step of this loop dimension moves (U for p and q, D for r and s). */
  readonly pitch: number
  readonly digits: readonly Digit[]
  /** `child`: unions over the digit (one read serves all); `free`: sums over it; `tile`: inside the child. */
  readonly roles: readonly Role[]
}

export interface Transition {
  /** The temporal loop that advances; loops inside it go back to 0. Absent: every step is summed, nothing held before. */
  readonly digit?: Digit
  /** Spatial digit whose neighbours' words of the step before count as held. */
  readonly forward?: Digit | undefined
  /** Whether a child holds its own words from the step before. */
  readonly resident: boolean
}

export interface Window {
  readonly lines: readonly [Line, Line]
  /** Rows that are not zero padding: [from, to). */
  readonly real: readonly [from: number, to: number]
  /** Count bounding boxes and share only identical ones, as Timeloop does. */
  readonly boxes: boolean
}

export interface WindowCount {
  /** Words of all steps: the union over the children of each step. */
  readonly words: number
  /** Of `words`, those that every child which needs them held before. */
  readonly held: number
  /** The same of rows that are not padding. */
  readonly realWords: number
  readonly realHeld: number
}

/** A child's interval of one loop dimension: now, in the step before, and its neighbours' in the step before. */
interface Child {
  readonly now: number
  readonly length: number
  readonly before: number
  readonly beforeLength: number
  readonly neighbours: readonly (readonly [start: number, length: number])[]
}

interface States {
  readonly shapes: { readonly children: readonly Child[]; count: number }[]
  /** Shape and offset (first coordinate of the first child) of every state. */
  readonly placed: { readonly shape: number; readonly offset: number }[]
}

/** Sums over all states of a window's two loop dimensions. */
export function countWindow(window: Window, transition: Transition): WindowCount {
  const [outer, inner] = window.lines
  const first = statesOf(outer, transition)
  const second = statesOf(inner, transition)
  const span = (outer.extent - 1) * outer.pitch + (inner.extent - 1) * inner.pitch + 1
  const padded = window.real[0] > 0 || window.real[1] < span
  const sum = { words: 0, held: 0, realWords: 0, realHeld: 0 }
  const add = (count: WindowCount, times: number): void => {
    sum.words += times * count.words
    sum.held += times * count.held
    sum.realWords += times * count.realWords
    sum.realHeld += times * count.realHeld
  }
  if (!padded) {
    for (const a of first.shapes) {
      for (const b of second.shapes) {
        add(countState(window, a.children, b.children, transition, -Infinity, Infinity), a.count * b.count)
      }
    }
    return sum
  }
  const known = new Map<string, WindowCount>()
  for (const a of first.placed) {
    const aChildren = first.shapes[a.shape]?.children ?? []
    const aEnd = a.offset + endOf(aChildren)
    for (const b of second.placed) {
      const bChildren = second.shapes[b.shape]?.children ?? []
      const offset = a.offset * outer.pitch + b.offset * inner.pitch
      const end = (aEnd - 1) * outer.pitch + (b.offset + endOf(bChildren) - 1) * inner.pitch + 1
      const inside = offset >= window.real[0] && end <= window.real[1]
      const key = `${a.shape} ${b.shape} ${inside ? '' : offset}`
      let count = known.get(key)
      if (count === undefined) {
        count = countState(window, aChildren, bChildren, transition, window.real[0] - offset, window.real[1] - offset)
        known.set(key, count)
      }
      add(count, 1)
    }
  }
  return sum
}

function endOf(children: readonly Child[]): number {
  return children.reduce((end, { now, length }) => Math.max(end, now + length), 0)
}

/** All states of one loop dimension, and in each the children that exist. */
function statesOf(line: Line, transition: Transition): States {
  const { digits, roles, extent } = line
  const at = transition.digit
  const length = digits.reduce((product, digit, i) => (roles[i] === 'tile' ? product * digit.bound : product), 1)
  const resets = at === undefined ? [] : digits.filter((digit, i) => isTime(digit, roles[i]) && digit.order > at.order)
  const step = digits.includes(at as Digit) ? (at?.stride ?? 0) : 0
  const states: States = { shapes: [], placed: [] }
  const known = new Map<string, number>()

  const clipped = (start: number): number => Math.min(length, extent - start)
  /** Where the child whose first coordinate is `start` was in the step before: each loop that went back was at its last trip. */
  const beforeOf = (start: number): number => {
    let before = start - step
    for (const { bound, stride } of resets) before += Math.min(bound - 1, Math.floor((extent - 1 - before) / stride)) * stride
    return before
  }
  const childrenOf = (start: number): Child[] => {
    const children: Child[] = []
    const place = (i: number, now: number): void => {
      if (now >= extent) return
      const digit = digits[i]
      if (digit === undefined) {
        const before = at === undefined ? now : beforeOf(now)
        children.push({ now, length: clipped(now), before, beforeLength: clipped(before), neighbours: neighboursOf(now) })
      } else if (roles[i] === 'child') {
        for (let value = 0; value < digit.bound; value++) place(i + 1, now + value * digit.stride)
      } else {
        place(i + 1, now)
      }
    }
    place(0, start)
    return children
  }
  const neighboursOf = (now: number): (readonly [number, number])[] => {
    const { forward } = transition
    if (forward === undefined || at === undefined || !digits.includes(forward)) return []
    const value = Math.floor(now / forward.stride) % forward.bound
    return [value - 1, value + 1].flatMap((other) => {
      const there = now + (other - value) * forward.stride
      if (other < 0 || other >= forward.bound || there >= extent) return []
      const before = beforeOf(there)
      return [[before, clipped(before)] as const]
    })
  }
  const visit = (i: number, start: number): void => {
    if (start >= extent) return
    const digit = digits[i]
    if (digit === undefined) {
      const children = childrenOf(start)
      const offset = start
      const key = children
        .map(
          (c) =>
            `${c.now - offset},${c.length},${c.before - offset},${c.beforeLength},` +
            c.neighbours.map(([s, l]) => `${s - offset}:${l}`).join(';'),
        )
        .join(' ')
      let shape = known.get(key)
      if (shape === undefined) {
        shape = states.shapes.length
        known.set(key, shape)
        const moved = children.map((c) => ({
          ...c,
          now: c.now - offset,
          before: c.before - offset,
          neighbours: c.neighbours.map(([s, l]) => [s - offset, l] as const),
        }))
        states.shapes.push({ children: moved, count: 0 })
      }
      const entry = states.shapes[shape]
      if (entry !== undefined) entry.count++
      states.placed.push({ shape, offset })
      return
    }
    const role = roles[i]
    const isReset = resets.includes(digit)
    if (role === 'free' && !isReset) {
      for (let value = digit === at ? 1 : 0; value < digit.bound; value++) visit(i + 1, start + value * digit.stride)
    } else {
      visit(i + 1, start)
    }
  }
  visit(0, 0)
  return states
}

function isTime(digit: Digit, role: Role | undefined): boolean {
  return role === 'free' && digit.axis === 'temporal'
}

const NONE: readonly (readonly [number, number])[] = []

/** One state: the union of the children's words, and which of them all had. Rows are relative to the state. */
function countState(
  window: Window,
  outer: readonly Child[],
  inner: readonly Child[],
  transition: Transition,
  realFrom: number,
  realTo: number,
): WindowCount {
  const [U, D] = [window.lines[0].pitch, window.lines[1].pitch]
  const needsBefore = transition.digit !== undefined
  if (window.boxes) return countBoxes(U, D, outer, inner, needsBefore, realFrom, realTo)
  const forwardOuter = transition.forward !== undefined && window.lines[0].digits.includes(transition.forward)
  const forwardInner = transition.forward !== undefined && window.lines[1].digits.includes(transition.forward)
  /** 1: needed; 2: needed by a child that did not hold it. */
  const seen = new Map<number, 1 | 2>()
  for (const a of outer) {
    for (const b of inner) {
      const isHeld = (row: number): boolean => {
        if (!needsBefore) return false
        if (transition.resident && reaches(row, U, D, a.before, a.beforeLength, b.before, b.beforeLength)) return true
        for (const [start, length] of forwardOuter ? a.neighbours : NONE) {
          if (reaches(row, U, D, start, length, b.before, b.beforeLength)) return true
        }
        for (const [start, length] of forwardInner ? b.neighbours : NONE) {
          if (reaches(row, U, D, a.before, a.beforeLength, start, length)) return true
        }
        return false
      }
      for (let p = a.now; p < a.now + a.length; p++) {
        for (let r = b.now; r < b.now + b.length; r++) {
          const row = p * U + r * D
          if (seen.get(row) !== 2) seen.set(row, isHeld(row) ? (seen.get(row) ?? 1) : 2)
        }
      }
    }
  }
  let words = 0
  let held = 0
  let realWords = 0
  let realHeld = 0
  for (const [row, state] of seen) {
    const isReal = row >= realFrom && row < realTo
    words++
    if (isReal) realWords++
    if (state === 1) {
      held++
      if (isReal) realHeld++
    }
  }
  return needsBefore ? { words, held, realWords, realHeld } : { words, held: 0, realWords, realHeld: 0 }
}

/** Whether row = p·U + r·D for some p and r of two intervals. A pitch of 0 means that all of them reach the same word. */
function reaches(row: number, U: number, D: number, p: number, pLength: number, r: number, rLength: number): boolean {
  for (let i = r; i < r + rLength; i++) {
    const rest = row - i * D
    if (U === 0 && rest === 0) return true
    if (rest % U === 0 && rest >= p * U && rest < (p + pLength) * U) return true
  }
  return false
}

/** Bounding boxes, of which only identical ones are shared. */
function countBoxes(
  U: number,
  D: number,
  outer: readonly Child[],
  inner: readonly Child[],
  needsBefore: boolean,
  realFrom: number,
  realTo: number,
): WindowCount {
  const sum = { words: 0, held: 0, realWords: 0, realHeld: 0 }
  const seen = new Set<string>()
  for (const a of outer) {
    for (const b of inner) {
      const start = a.now * U + b.now * D
      const end = start + (a.length - 1) * U + (b.length - 1) * D + 1
      const key = `${start} ${end}`
      if (seen.has(key)) continue
      seen.add(key)
      sum.words += end - start
      sum.realWords += overlap(start, end, realFrom, realTo)
      if (!needsBefore) continue
      const from = Math.max(start, a.before * U + b.before * D)
      const to = Math.min(end, (a.before + a.beforeLength - 1) * U + (b.before + b.beforeLength - 1) * D + 1)
      sum.held += Math.max(0, to - from)
      sum.realHeld += overlap(from, to, realFrom, realTo)
    }
  }
  return sum
}

function overlap(from: number, to: number, low: number, high: number): number {
  return Math.max(0, Math.min(to, high) - Math.max(from, low))
}

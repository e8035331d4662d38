/**
 * Two stripes looked at together, exhaustively. Think of two hands of four cards dealt anew in every way there is: eight channels
 * make 35 pairs of stripes (8! / (4!·4!·2)). 16 of them are a swap away, which `swaps.ts` judges; 18 take two swaps at once, of
 * which neither need gain alone (Pool and Yu, NeurIPS 2021, search such stripe groups).
 */
import { STRIPE, type Stripes } from './stripes.ts'

/** The 35 ways: which four of eight go with the first, then the others. */
const DEALS = dealsOf()

/** Evaluations of a pair: two for each of 2 · 35 stripes. */
export const PAIR_EVALUATIONS = 4 * DEALS.length

function dealsOf(): Uint8Array[] {
  const deals: Uint8Array[] = []
  for (let bits = 1; bits < 256; bits += 2) {
    const places = [...Array(2 * STRIPE).keys()]
    const mine = places.filter((place) => (bits >> place) & 1)
    if (mine.length === STRIPE) deals.push(Uint8Array.from([...mine, ...places.filter((place) => !mine.includes(place))]))
  }
  return deals
}

/**
 * Deals the channels of two stripes so that they keep most. Both are full: fillers do not move.
 * @param least a gain that is not above it is none
 * @returns what was gained, 0 where the stripes stay as they are
 */
export function redeal(stripes: Stripes, stripe: number, other: number, least: number): number {
  const { order, kept } = stripes
  const held = new Uint32Array(2 * STRIPE)
  for (let place = 0; place < STRIPE; place++) {
    held[place] = order[stripe * STRIPE + place] ?? 0
    held[STRIPE + place] = order[other * STRIPE + place] ?? 0
  }
  const before = (kept[stripe] ?? 0) + (kept[other] ?? 0)
  let most = before + least
  let best: Uint8Array | undefined
  const at = (deal: Uint8Array, place: number): number => held[deal[place] ?? 0] ?? 0
  for (const deal of DEALS) {
    const both =
      stripes.keptBy(at(deal, 0), at(deal, 1), at(deal, 2), at(deal, 3)) +
      stripes.keptBy(at(deal, 4), at(deal, 5), at(deal, 6), at(deal, 7))
    if (both > most) {
      most = both
      best = deal
    }
  }
  if (best === undefined) return 0
  for (let place = 0; place < STRIPE; place++) {
    order[stripe * STRIPE + place] = at(best, place)
    order[other * STRIPE + place] = at(best, STRIPE + place)
  }
  stripes.renew(stripe)
  stripes.renew(other)
  return most - before
}

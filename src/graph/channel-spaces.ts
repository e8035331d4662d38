/**
 * Which channels may change places, together. Every axis that holds channels (of a feature map, of the filters that make it, of those that
 * read it) is a row of *seats*; what must move together is joined. A set of joined seats is an *atom*; atoms that sit on the same axes may
 * be permuted among each other, because each such swap moves a seat to another on every axis at once.
 *
 *     conv a filters  a0 a1 a2 a3        concat   c0 c1 c2 c3 c4 c5        {a0 c0}, {a1 c1}, … sit on axes {a, c}: one group of four
 *     conv b filters  b0 b1                                                {b0 c4}, {b1 c5}    sit on axes {b, c}: another of two
 *
 * So parts of a concat permute within themselves, padding channels stay apart from those they pad, and groups of a convolution too, without
 * a rule for any of them. An atom that sits twice on one axis stays where it is.
 */

/** How a permuted axis is to be found in a constant. */
export interface Role {
  /** The operand's name (see constant-source.ts). */
  readonly operand: string
  readonly axis: number
  /** Neighbouring positions of one channel: H·W after a flatten. */
  readonly block: number
  /** Only for these positions of axis 0: the filters of one group. */
  readonly rows?: readonly [from: number, to: number]
}

/** Channels that may be permuted in any order, and where they are. */
export interface SeatGroup {
  /** How many. */
  readonly size: number
  /** Each axis on which they sit: seat i of the group is channel positions[i] of it. */
  readonly axes: readonly { readonly role: Role | undefined; readonly label: string; readonly positions: Uint32Array }[]
}

interface Axis {
  readonly label: string
  readonly role: Role | undefined
}

export class ChannelSpaces {
  readonly #axes: Axis[] = []
  readonly #axisOf: number[] = []
  readonly #positions: number[] = []
  readonly #parents: number[] = []
  readonly #fixed = new Set<number>()

  /** A new axis of `count` channels; the number of its first seat. */
  axis(count: number, label: string, role?: Role): number {
    const first = this.#parents.length
    this.#axes.push({ label, role })
    for (let i = 0; i < count; i++) {
      this.#parents.push(first + i)
      this.#axisOf.push(this.#axes.length - 1)
      this.#positions.push(i)
    }
    return first
  }

  /** Seats a and b move together. */
  join(a: number, b: number): void {
    const [one, other] = [this.#root(a), this.#root(b)]
    if (one !== other) this.#parents[other] = one
  }

  /** As `join`, for `count` seats from a and from b on. */
  joinAll(a: number, b: number, count: number): void {
    for (let i = 0; i < count; i++) this.join(a + i, b + i)
  }

  /** Seats that may not move. */
  fix(first: number, count: number): void {
    for (let i = 0; i < count; i++) this.#fixed.add(first + i)
  }

  /** Groups of two channels and more, in the order in which their first axes were made. */
  groups(): SeatGroup[] {
    const atoms = new Map<number, number[]>()
    const fixed = new Set([...this.#fixed].map((seat) => this.#root(seat)))
    for (let seat = 0; seat < this.#parents.length; seat++) {
      const root = this.#root(seat)
      if (fixed.has(root)) continue
      const atom = atoms.get(root)
      if (atom === undefined) atoms.set(root, [seat])
      else atom.push(seat)
    }
    const groups = new Map<string, number[][]>()
    // Seats are numbered axis by axis, so an atom's seats are in the order of their axes.
    for (const atom of atoms.values()) {
      const axes = atom.map((seat) => this.#axisOf[seat] ?? -1)
      if (new Set(axes).size < axes.length) continue
      const key = axes.join(' ')
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [atom])
      else group.push(atom)
    }
    return [...groups.values()].filter((group) => group.length > 1).map((group) => this.#group(group))
  }

  #group(atoms: readonly (readonly number[])[]): SeatGroup {
    const axes = (atoms[0] ?? []).map((seat, index) => {
      const { role, label } = this.#axes[this.#axisOf[seat] ?? -1] ?? { role: undefined, label: '' }
      return { role, label, positions: Uint32Array.from(atoms, (atom) => this.#positions[atom[index] ?? -1] ?? 0) }
    })
    return { size: atoms.length, axes }
  }

  #root(seat: number): number {
    let root = seat
    while (this.#parents[root] !== root) root = this.#parents[root] ?? root
    for (let at = seat; at !== root;) {
      const next = this.#parents[at] ?? root
      this.#parents[at] = root
      at = next
    }
    return root
  }
}

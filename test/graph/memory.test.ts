import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planMemory, rootOf, type MemoryProblem } from '../../src/graph/memory.ts'

function chain(length: number, bytes: (i: number) => number): MemoryProblem {
  return {
    inputs: [{ name: 'v0', bytes: bytes(0) }],
    steps: Array.from({ length }, (_, i) => ({
      reads: [`v${i}`],
      writes: [{ name: `v${i + 1}`, bytes: bytes(i + 1) }],
      temps: [],
    })),
    aliases: new Map(),
    kept: new Set([`v${length}`]),
  }
}

describe('planMemory', () => {
  it('runs a chain in two slots', () => {
    const plan = planMemory(chain(9, () => 100))
    expect(plan.slots).toEqual([100, 100])
  })

  it('makes slots as large as their largest value', () => {
    const plan = planMemory(chain(3, (i) => [10, 40, 30, 20][i]!))
    expect(plan.slots).toEqual([40, 30])
    expect(plan.slotOf.get('v1')).toBe(plan.slotOf.get('v3'))
  })

  it('keeps the source of an alias alive while the alias is read', () => {
    const plan = planMemory({
      inputs: [{ name: 'x', bytes: 4 }],
      steps: [
        { reads: ['x'], writes: [{ name: 'y', bytes: 4 }], temps: [] },
        { reads: ['y'], writes: [{ name: 'z', bytes: 4 }], temps: [8] },
        { reads: ['flat', 'z'], writes: [{ name: 'out', bytes: 4 }], temps: [] },
      ],
      aliases: new Map([
        ['flat', 'view'],
        ['view', 'y'],
      ]),
      kept: new Set(['out']),
    })
    expect(plan.slotOf.get('flat')).toBe(plan.slotOf.get('y'))
    expect(plan.slotOf.get('view')).toBe(plan.slotOf.get('y'))
    const slots = ['y', 'z', 'out'].map((name) => plan.slotOf.get(name))
    expect(new Set(slots).size).toBe(3)
    expect(plan.temps[1]).not.toContain(plan.slotOf.get('y'))
    expect(plan.temps[1]).not.toContain(plan.slotOf.get('z'))
  })

  it('never puts two live values into one slot, nor a value into one that is too small', () => {
    const problems = fc
      .array(
        fc.record({
          reads: fc.array(fc.nat(30), { maxLength: 3 }),
          bytes: fc.array(fc.nat(50), { minLength: 1, maxLength: 2 }),
          temps: fc.array(fc.nat(50), { maxLength: 2 }),
          alias: fc.boolean(),
          keep: fc.boolean(),
        }),
        { minLength: 1, maxLength: 12 },
      )
      .map((nodes) => {
        const names = ['x']
        const bytesOf = new Map([['x', 16]])
        const aliases = new Map<string, string>()
        const kept = new Set<string>()
        const steps = nodes.map((node, i) => {
          const reads = node.reads.map((read) => names[read % names.length]!)
          const source = reads[0]
          if (node.alias && source !== undefined) {
            const name = `a${i}`
            aliases.set(name, source)
            names.push(name)
            if (node.keep) kept.add(name)
            return { reads: [source], writes: [], temps: [] }
          }
          const writes = node.bytes.map((bytes, j) => ({ name: `n${i}_${j}`, bytes }))
          for (const { name, bytes } of writes) {
            names.push(name)
            bytesOf.set(name, bytes)
            if (node.keep) kept.add(name)
          }
          return { reads, writes, temps: node.temps }
        })
        return { problem: { inputs: [{ name: 'x', bytes: 16 }], steps, aliases, kept }, bytesOf }
      })
    fc.assert(
      fc.property(problems, ({ problem, bytesOf }) => {
        const plan = planMemory(problem)
        const owner = new Map<number, string>()
        const write = (name: string): void => {
          const slot = plan.slotOf.get(name)!
          expect(plan.slots[slot]).toBeGreaterThanOrEqual(bytesOf.get(name)!)
          owner.set(slot, name)
        }
        // Run it: every read must find what was written, also after this step's temps and outputs were.
        const check = (name: string): void => expect(owner.get(plan.slotOf.get(name)!)).toBe(rootOf(name, problem.aliases))
        write('x')
        problem.steps.forEach((step, i) => {
          step.reads.forEach(check)
          step.temps.forEach((bytes, t) => {
            const slot = plan.temps[i]![t]!
            expect(plan.slots[slot]).toBeGreaterThanOrEqual(bytes)
            owner.set(slot, `temp ${i} ${t}`)
          })
          step.writes.forEach(({ name }) => write(name))
          step.temps.forEach((_, t) => expect(owner.get(plan.temps[i]![t]!)).toBe(`temp ${i} ${t}`))
          step.reads.forEach(check)
        })
        problem.kept.forEach(check)
      }),
      { numRuns: 300 },
    )
  })
})

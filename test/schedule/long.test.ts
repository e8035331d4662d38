/** Dimensions longer than any network's: the search ends, and what it finds can be evaluated or is refused by name. */
import { expect, test } from 'vitest'
import { hardwareNamed } from '../../models/hardware/index.ts'
import { evaluate } from '../../src/cost/evaluate.ts'
import { MappingError } from '../../src/errors.ts'
import { mapProblem } from '../../src/schedule/mapper.ts'
import { convProblem, macsOf } from '../../src/schedule/problem.ts'
import { processorTime } from '../processor.ts'

const long = (P: number, pad: number) =>
  convProblem({ M: 64, C: 64, P, Q: 3, R: 3, S: 3, stride: [2, 1], padding: [pad, pad, pad, pad] })

test.each([
  [1_000_000, 0, 'none'],
  [1_000_000, 1, 'os-a'],
  [5_000_000, 1, 'ws'],
])('P = %i, padding %i, %s', { timeout: 60_000 }, (P, pad, dataflow) => {
  const problem = long(P, pad)
  const hardware = hardwareNamed('eyeriss')
  const seconds = processorTime()
  const { mapping, evaluation } = mapProblem(problem, { hardware, dataflow, budget: 300 })
  expect(seconds()).toBeLessThan(15)
  expect(evaluation.macs).toBe(macsOf(problem))
  expect(evaluate(problem, hardware, mapping).energy.total).toBe(evaluation.energy.total)
})

test('what is too long to be told apart is refused by name', { timeout: 60_000 }, () => {
  const find = () => mapProblem(long(500_000_000, 1), { hardware: hardwareNamed('eyeriss'), dataflow: 'ws', budget: 50 })
  expect(find).toThrow(MappingError)
  expect(find).toThrow(/too many places of a tile/)
})

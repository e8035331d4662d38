/** `tilewright prune` on trained networks: permuting changes no answer, retains more, and what is written gives the pruned answers. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededInputs } from '../../models/inputs.ts'
import { importOnnx } from '../../src/formats/onnx.ts'
import { channelGroups, permuteGroup } from '../../src/graph/channel-groups.ts'
import { pruneGraph } from '../../src/graph/prune.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { comparePruned, type Compared } from '../../src/profile/prune-compare.ts'
import { conformance, hasConformance } from '../conformance/data.ts'
import { folderOf, tilewright } from './harness.ts'

const NOTE = hasConformance ? '' : ' (no conformance data here: set TILEWRIGHT_CONFORMANCE)'
const CIFAR = 'airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n'

interface Report {
  readonly totals: { readonly pruned: { readonly retained: number; readonly retained_unpermuted: number } }
  readonly comparison: { readonly dense: Pick<Compared, 'accuracy'>; readonly dense_permuted: Compared; readonly pruned: Compared }
}

describe.skipIf(!hasConformance)(`trained networks${NOTE}`, () => {
  let gpu: Gpu
  const folder = folderOf({ 'cifar.txt': CIFAR })
  beforeAll(async () => {
    gpu = await openGpu()
  })
  afterAll(() => {
    gpu?.dispose()
    folder.remove()
  })

  test.each([
    {
      name: 'mnist-cntk',
      count: 40,
      args: [
        ...['--images', conformance('images/mnist/images-idx3-ubyte.gz')],
        ...['--labels', conformance('images/mnist/labels-idx1-ubyte.gz'), '--budget', '4000'],
      ],
    },
    {
      name: 'cifar-resnet20',
      count: 10,
      args: [
        ...['--images', conformance('images/cifar10'), '--labels', folder.path('cifar.txt')],
        ...['--preprocess', 'imagenet', '--resize', '32x32', '--budget', '1500'],
      ],
    },
  ])('$name', async ({ name, count, args }) => {
    const file = conformance(`models/${name}/model.onnx`)
    const out = folder.path(`${name}.onnx`)
    const command = ['prune', file, '--permute', '-o', out, ...args, '--count', String(count), '--json']
    const { code, out: printed, err } = await tilewright(command)
    expect(code, err).toBe(0)
    const { totals, comparison } = JSON.parse(printed) as Report
    expect(totals.pruned.retained).toBeGreaterThan(totals.pruned.retained_unpermuted)
    const { dense, dense_permuted: permuted, pruned } = comparison
    expect(permuted.errors[0]?.relative).toBeLessThan(1e-5)
    expect(permuted.agreement).toEqual({ right: count, of: count })
    expect(permuted.accuracy).toEqual(dense.accuracy)
    expect(dense.accuracy?.of).toBe(count)
    expect(dense.accuracy?.right).toBeGreaterThan(count / 2)
    // Half of the weights are gone: the answers change, but are no guesses.
    expect(pruned.errors[0]?.relative).toBeGreaterThan(1e-2)
    expect(pruned.agreement?.right).toBeGreaterThan(count / 3)

    if (name !== 'mnist-cntk') return
    // The file holds what the library makes.
    const { graph: given } = await importOnnx(new Uint8Array(readFileSync(file)))
    const { graph: written } = await importOnnx(new Uint8Array(readFileSync(out)))
    const { graph: made } = await pruneGraph(given, { permute: true, budget: 4000 })
    expect([...written.constants].filter(([key, { values }]) => made.constants.get(key)?.values.length !== values.length)).toEqual(
      [],
    )
    for (const [key, { values }] of written.constants) expect(made.constants.get(key)?.values, key).toEqual(values)
  })

  test('squeezenet1.1 computes the same with its channels in any order', async () => {
    const { graph: given } = await importOnnx(new Uint8Array(readFileSync(conformance('models/squeezenet1.1/model.onnx'))))
    const { groups, sources } = channelGroups(given)
    expect(groups).toHaveLength(25)
    const constants = new Map(given.constants)
    for (const group of groups) {
      // A step that shares no factor with a size of these meets every channel.
      permuteGroup(
        constants,
        sources,
        group,
        Uint32Array.from({ length: group.size }, (_, i) => (i * 7 + 3) % group.size),
      )
    }
    const inputs = [{ tensors: seededInputs(given) }]
    const { pruned } = await comparePruned(gpu, given, new Map([['permuted', { ...given, constants }]]), inputs)
    const [error] = pruned.get('permuted')?.errors ?? []
    expect(error?.relative).toBeLessThan(1e-4)
    expect(constants.get('fire5/squeeze1x1_w')?.values).not.toEqual(given.constants.get('fire5/squeeze1x1_w')?.values)
  })
})

describe('comparePruned', () => {
  test('without inputs is an error', async () => {
    const gpu = await openGpu()
    try {
      const empty = { name: 'empty', inputs: [], outputs: [], nodes: [], constants: new Map() }
      await expect(comparePruned(gpu, empty, new Map(), [])).rejects.toThrow('no input')
    } finally {
      gpu.dispose()
    }
  })
})

/** Each op alone, through the public `ops` namespace: values worked out by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DtypeError, OptionError, ShapeError } from '../../src/errors.ts'
import { DeviceTensor } from '../../src/gpu/device-tensor.ts'
import type { Gpu } from '../../src/gpu/gpu.ts'
import { openGpu } from '../../src/gpu/node.ts'
import * as ops from '../../src/ops/index.ts'
import { REGISTRY } from '../../src/ops/registry.ts'
import { packCsc } from '../../src/sparsity/csc.ts'
import { packTwoOfFour } from '../../src/sparsity/two-of-four.ts'
import { packCsr } from '../../src/sparsity/csr.ts'
import { packEie } from '../../src/sparsity/eie.ts'
import { quantizeWeights } from '../../src/precision/weights.ts'
import { tensor, type HostTensor, type Tensor } from '../../src/tensor/tensor.ts'

let gpu: Gpu
beforeAll(async () => {
  gpu = await openGpu()
})
afterAll(() => gpu.dispose())

function iota(...shape: number[]): Tensor {
  const size = shape.reduce((product, extent) => product * extent, 1)
  return tensor(
    Float32Array.from({ length: size }, (_, i) => i),
    shape,
  )
}

function half({ shape, values }: HostTensor): HostTensor {
  return tensor(Array.from(values, Number), shape, 'f16')
}

const X = tensor([-2, -1, 0, 1, 2, 3], [2, 3])
const BYTES = tensor([1, -2, 3, -4], [2, 2], 'i8')
const BYTE_ROW = tensor([1, -2, 3], [1, 1, 1, 3], 'i8')
const BYTE_FILTER = tensor([1, -2], [1, 1, 1, 2], 'i8')
const PICTURE = iota(1, 1, 3, 3)

/** A call, the shape and the values that it gives. */
type Call = readonly [
  name: string,
  call: () => Promise<DeviceTensor>,
  shape: readonly number[],
  values: readonly (number | bigint)[],
]

const CALLS: readonly Call[] = [
  [
    'conv2d',
    () => ops.conv2d(gpu, PICTURE, tensor([1, 0, 0, 1], [1, 1, 2, 2]), { bias: tensor([-5]), activation: 'relu' }),
    [1, 1, 2, 2],
    [0, 1, 5, 7],
  ],
  [
    'conv2d',
    () =>
      ops.conv2d(gpu, PICTURE, tensor([1, 0, 0, 1], [1, 1, 2, 2]), {
        bias: tensor([-5]),
        residual: tensor([1, 1, 1, -9], [1, 1, 2, 2]),
        activation: { name: 'clip', min: 0, max: 6 },
      }),
    [1, 1, 2, 2],
    [0, 2, 6, 0],
  ],
  [
    'conv2d',
    () => ops.conv2d(gpu, PICTURE, tensor([1], [1, 1, 1, 1]), { stride: 2, padding: [0, 0, 0, 1] }),
    [1, 1, 2, 2],
    [0, 2, 6, 8],
  ],
  ['gemm', () => ops.gemm(gpu, X, X, { transB: true, alpha: 2, c: tensor([1]) }), [2, 2], [11, -7, -7, 29]],
  ['matmul', () => ops.matmul(gpu, X, tensor([1, 2, 3])), [2], [-4, 14]],
  ['linear', () => ops.linear(gpu, X, tensor([1, 0, 0, 1, 1, 1], [2, 3]), { bias: tensor([10, 20]) }), [2, 2], [8, 17, 11, 26]],
  [
    'gemm',
    () =>
      ops.gemm(gpu, X, X, {
        transB: true,
        beta: 2,
        c: tensor([1, 2], [2, 1]),
        scale: tensor([1, 10]),
        residual: tensor([0, 0, 0, -100], [2, 2]),
        activation: 'relu',
      }),
    [2, 2],
    [7, 0, 0, 44],
  ],
  [
    'matmul',
    () => ops.matmul(gpu, half(X), half(tensor([100, 200, 300])), { bias: half(tensor([1])), output: 'f32', kernel: 'broadcast' }),
    [2],
    [-399, 1401],
  ],
  [
    'linear',
    () =>
      ops.linear(gpu, X, tensor([1, 1, 1], [1, 3]), { scale: tensor([2]), residual: tensor([3, 4], [2, 1]), accumulate: 'f32' }),
    [2, 1],
    [-3, 16],
  ],
  ['maxPool', () => ops.maxPool(gpu, PICTURE, { kernel: 2 }), [1, 1, 2, 2], [4, 5, 7, 8]],
  ['averagePool', () => ops.averagePool(gpu, PICTURE, { kernel: [3, 1] }), [1, 1, 1, 3], [3, 4, 5]],
  ['globalMaxPool', () => ops.globalMaxPool(gpu, PICTURE), [1, 1, 1, 1], [8]],
  ['globalAveragePool', () => ops.globalAveragePool(gpu, PICTURE), [1, 1, 1, 1], [4]],
  ['lrn', () => ops.lrn(gpu, tensor([3], [1, 1, 1, 1]), { size: 1, alpha: 1, beta: 1, bias: 1 }), [1, 1, 1, 1], [0.3]],
  [
    'batchNorm',
    () =>
      ops.batchNorm(
        gpu,
        tensor([1, 2], [1, 2]),
        { scale: tensor([2, 1]), bias: tensor([0, 1]), mean: tensor([0, 2]), variance: tensor([4, 1]) },
        { epsilon: 0 },
      ),
    [1, 2],
    [1, 1],
  ],
  ['softmax', () => ops.softmax(gpu, tensor([0, 0, 0, 0], [2, 2])), [2, 2], [0.5, 0.5, 0.5, 0.5]],
  ['relu', () => ops.relu(gpu, X), [2, 3], [0, 0, 0, 1, 2, 3]],
  ['leakyRelu', () => ops.leakyRelu(gpu, X, { alpha: 0.5 }), [2, 3], [-1, -0.5, 0, 1, 2, 3]],
  ['hardSigmoid', () => ops.hardSigmoid(gpu, tensor([-9, -1, 0, 9]), { alpha: 0.25 }), [4], [0, 0.25, 0.5, 1]],
  ['hardSwish', () => ops.hardSwish(gpu, tensor([-Infinity, -4, 0, 5])), [4], [0, 0, 0, 5]],
  ['prelu', () => ops.prelu(gpu, X, tensor([2, 3, 4])), [2, 3], [-4, -3, 0, 1, 2, 3]],
  ['elu', () => ops.elu(gpu, tensor([-Infinity, 2]), { alpha: 3 }), [2], [-3, 2]],
  ['sigmoid', () => ops.sigmoid(gpu, tensor([-1e4, 0, 1e4])), [3], [0, 0.5, 1]],
  ['tanh', () => ops.tanh(gpu, tensor([-1e4, 0, 1e4])), [3], [-1, 0, 1]],
  ['maxout', () => ops.maxout(gpu, tensor([1, 5, 4, 2], [1, 4]), { pool: 2 }), [1, 2], [5, 4]],
  ['clip', () => ops.clip(gpu, X, { min: -1, max: 2 }), [2, 3], [-1, -1, 0, 1, 2, 2]],
  ['add', () => ops.add(gpu, X, tensor([10, 20, 30])), [2, 3], [8, 19, 30, 11, 22, 33]],
  ['sub', () => ops.sub(gpu, 1, X), [2, 3], [3, 2, 1, 0, -1, -2]],
  ['mul', () => ops.mul(gpu, tensor([100, -100], [2], 'i8'), 2), [2], [-56, 56]],
  ['div', () => ops.div(gpu, tensor([7, -7], [2], 'i32'), 2), [2], [3, -3]],
  ['sum', () => ops.sum(gpu, [X, X, tensor([1])]), [2, 3], [-3, -1, 1, 3, 5, 7]],
  ['concat', () => ops.concat(gpu, [X, tensor([7, 8], [2, 1])], { axis: 1 }), [2, 4], [-2, -1, 0, 7, 1, 2, 3, 8]],
  ['slice', () => ops.slice(gpu, X, { starts: [-1], ends: [-9], axes: [1], steps: [-2] }), [2, 2], [0, -2, 3, 1]],
  ['pad', () => ops.pad(gpu, tensor([1, 2, 3]), { pads: [2, 1], mode: 'reflect' }), [6], [3, 2, 1, 2, 3, 2]],
  ['pad', () => ops.pad(gpu, X, { pads: [1, -1], axes: [1], value: 9 }), [2, 3], [9, -2, -1, 9, 1, 2]],
  ['flatten', () => ops.flatten(gpu, iota(2, 1, 2)), [2, 2], [0, 1, 2, 3]],
  ['reshape', () => ops.reshape(gpu, X, [-1, 2]), [3, 2], [-2, -1, 0, 1, 2, 3]],
  ['squeeze', () => ops.squeeze(gpu, iota(1, 2, 1), { axes: [2] }), [1, 2], [0, 1]],
  ['unsqueeze', () => ops.unsqueeze(gpu, iota(2), { axes: [0] }), [1, 2], [0, 1]],
  ['transpose', () => ops.transpose(gpu, X), [3, 2], [-2, 1, -1, 2, 0, 3]],
  ['relayout', () => ops.relayout(gpu, iota(1, 2, 3), { from: 'nchw', to: 'nhwc' }), [1, 3, 2], [0, 3, 1, 4, 2, 5]],
  ['place', () => ops.place(gpu, iota(1, 2, 3), { channels: 2, first: 0 }), [1, 2, 3], [0, 1, 2, 3, 4, 5]],
  ['depthToSpace', () => ops.depthToSpace(gpu, iota(1, 8, 1, 1), { blocksize: 2 }), [1, 2, 2, 2], [0, 2, 4, 6, 1, 3, 5, 7]],
  [
    'depthToSpace',
    () => ops.depthToSpace(gpu, iota(1, 8, 1, 1), { blocksize: 2, mode: 'CRD' }),
    [1, 2, 2, 2],
    [0, 1, 2, 3, 4, 5, 6, 7],
  ],
  ['spaceToDepth', () => ops.spaceToDepth(gpu, iota(1, 2, 2, 2), { blocksize: 2 }), [1, 8, 1, 1], [0, 4, 1, 5, 2, 6, 3, 7]],
  ['gather', () => ops.gather(gpu, X, tensor([2, -3], [2], 'i64'), { axis: 1 }), [2, 2], [0, -2, 3, 1]],
  ['cast', () => ops.cast(gpu, tensor([-1.9, 300]), 'i8'), [2], [-1, 127]],
  [
    'quantizeLinear',
    () => ops.quantizeLinear(gpu, tensor([-1, 0.25, 9, NaN]), tensor([0.1], []), { dtype: 'i8' }),
    [4],
    [-10, 2, 90, 0],
  ],
  ['dequantizeLinear', () => ops.dequantizeLinear(gpu, BYTES, tensor([0.5], [])), [2, 2], [0.5, -1, 1.5, -2]],
  [
    'dynamicQuantizeLinear',
    async () => {
      const { values, scale, zeroPoint } = await ops.dynamicQuantizeLinear(gpu, tensor([-1, 0, 1.55]))
      scale.dispose()
      zeroPoint.dispose()
      return values
    },
    [3],
    [0, 100, 255],
  ],
  [
    'convTranspose2d',
    () => ops.convTranspose2d(gpu, tensor([1, 2], [1, 1, 1, 2]), tensor([1, 10], [1, 1, 1, 2]), { stride: [1, 2] }),
    [1, 1, 1, 4],
    [1, 10, 2, 20],
  ],
  ['convInteger', () => ops.convInteger(gpu, BYTE_ROW, BYTE_FILTER), [1, 1, 1, 2], [5, -8]],
  [
    'qlinearConv',
    () => {
      const side = (values: HostTensor): ops.QuantisedTensor => ({
        values,
        scale: tensor([0.5], []),
        zeroPoint: tensor([0], [], 'i8'),
      })
      const result = { scale: tensor([0.25], []), zeroPoint: tensor([100], [], 'u8') }
      return ops.qlinearConv(gpu, side(BYTE_ROW), side(BYTE_FILTER), result)
    },
    [1, 1, 1, 2],
    [105, 92],
  ],
  ['matmulInteger', () => ops.matmulInteger(gpu, BYTES, BYTES), [2, 2], [-5, 6, -9, 10]],
  [
    'matmulInteger',
    () => ops.matmulInteger(gpu, BYTES, BYTES, { aScale: tensor([0.5], []), bias: tensor([1, 0]), activation: 'relu' }),
    [2, 2],
    [0, 3, 0, 5],
  ],
  [
    'qlinearMatmul',
    () => {
      const side = { values: BYTES, scale: tensor([0.5], []), zeroPoint: tensor([0], [], 'i8') }
      return ops.qlinearMatmul(gpu, side, side, { scale: tensor([1], []), zeroPoint: tensor([100], [], 'u8') })
    },
    [2, 2],
    [99, 102, 98, 102],
  ],
  [
    'matmulNBits',
    () => {
      const { packed, scales, blockSize } = quantizeWeights(tensor([-8, 7, 0, 2, 1, -8], [2, 3]), { blockSize: 16 })
      return ops.matmulNBits(gpu, tensor([1, 2, 3], [1, 3]), packed, scales, { blockSize, bias: tensor([0, 1]) })
    },
    [1, 2],
    [6, -19],
  ],
  [
    'sparseMatmul',
    () =>
      ops.sparseMatmul(gpu, tensor([1, 2, 3], [1, 3]), packTwoOfFour(tensor([0, 4, 0, 1, 0, -1], [2, 3])), {
        bias: tensor([1, 0]),
      }),
    [1, 2],
    [9, -2],
  ],
  [
    'csrMatmul',
    () => ops.csrMatmul(gpu, tensor([1, 2, 3], [1, 3]), packCsr(tensor([0, 4, 0, 1, 0, -1], [2, 3])), { bias: tensor([1, 0]) }),
    [1, 2],
    [9, -2],
  ],
  [
    'cscMatmul',
    () => {
      const weights = packCsc(tensor([0, 4, 0, 1, 0, -1], [2, 3]), { elements: 2 })
      return ops.cscMatmul(gpu, tensor([1, 0, 3], [3]), weights, { activation: 'relu', bias: tensor([1, 3]) })
    },
    [2],
    [1, 1],
  ],
  [
    'eieMatmul',
    () => {
      const weights = packEie(tensor([0, 4, 0, 1, 0, -1], [2, 3]), { elements: 1, values: 'shared' })
      return ops.eieMatmul(gpu, tensor([1, 2, 3], [1, 3]), weights, { residual: tensor([1, 0], [1, 2]) })
    },
    [1, 2],
    [9, -2],
  ],
  [
    'runLengthEncode',
    async () => {
      const { words, counts } = await ops.runLengthEncode(gpu, tensor([0, 0, 1, 0, 0], [5], 'i32'))
      counts.dispose()
      return words
    },
    [2, 2],
    // Runs of 2 and 1 before values 1 and 0, and the end bit.
    [1, 0x20001 * 2 ** 11 + 0x10000 / 2 ** 10, 0, 0],
  ],
  [
    'runLengthDecode',
    async () => {
      const { words, counts } = await ops.runLengthEncode(gpu, tensor([0, -5, 0, 7], [4], 'i32'))
      using code = words
      using sizes = counts
      return await ops.runLengthDecode(gpu, code, sizes, { shape: [2, 2], dtype: 'i32' })
    },
    [2, 2],
    [0, -5, 0, 7],
  ],
  ['dropout', () => ops.dropout(gpu, X), [2, 3], [-2, -1, 0, 1, 2, 3]],
  ['identity', () => ops.identity(gpu, X), [2, 3], [-2, -1, 0, 1, 2, 3]],
  ['shape', () => ops.shape(gpu, iota(3, 4, 5), { start: 1 }), [2], [4n, 5n]],
  ['constantOfShape', () => ops.constantOfShape(gpu, [2], { value: -3n, dtype: 'i64' }), [2], [-3n, -3n]],
]

describe('operands by more than one name', () => {
  it('matmulNBits takes packed weights whole, their zero points too', async () => {
    const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])
    const bias = tensor([0, 1])
    for (const bits of [4, 8] as const) {
      const weights = quantizeWeights(tensor([3, 7, 5, 2, 1, 8], [2, 3]), { bits, blockSize: 16, symmetric: false })
      const { packed, scales, zeroPoints, blockSize } = weights
      if (zeroPoints === undefined) throw new Error('There are no zero points')
      using whole = await ops.matmulNBits(gpu, x, weights, { bias })
      using parts = await ops.matmulNBits(gpu, x, packed, scales, { bits, blockSize, zeroPoints, bias })
      using without = await ops.matmulNBits(gpu, x, packed, scales, { bits, blockSize, bias })
      const values = Array.from(await whole.data(), Number)
      expect(values).toEqual(Array.from(await parts.data(), Number))
      expect(values).not.toEqual(Array.from(await without.data(), Number))
      expect(Math.abs((values[0] ?? NaN) - 32)).toBeLessThan(2)
    }
  })

  it('matmulNBits refuses what packed weights say themselves', async () => {
    const weights = quantizeWeights(tensor([3, 7, 5, 2, 1, 8], [2, 3]), { blockSize: 16 })
    const x = tensor([1, 2, 3], [1, 3])
    const again: object = { bits: 8 }
    await expect(ops.matmulNBits(gpu, x, weights, again)).rejects.toThrow(/Packed weights bring their own/)
    await expect(ops.matmulNBits(gpu, x, weights, { zeroPoints: tensor([0], [1], 'u8') } as object)).rejects.toThrow(OptionError)
  })

  it('gemm takes bias for c, not both', async () => {
    const a = tensor([1, 2], [1, 2])
    const b = tensor([3, 4], [2, 1])
    using y = await ops.gemm(gpu, a, b, { bias: tensor([10]), beta: 2 })
    expect(Array.from(await y.data(), Number)).toEqual([31])
    await expect(async () => ops.gemm(gpu, a, b, { bias: tensor([1]), c: tensor([1]) })).rejects.toThrow(/two names of one operand/)
  })

  it('errors say once what is wrong, in the names of the options', async () => {
    const a = tensor([1, 2], [1, 2])
    const b = tensor([3, 4], [2, 1])
    const nameless: object = { kernel: { tileRows: 4 } }
    await expect(ops.gemm(gpu, a, b, nameless)).rejects.toThrow(/kernel: give a name, or \{kernel: name, …\}/)
    await expect(ops.matmulInteger(gpu, BYTES, BYTES, { bias: tensor([1, 2]) })).rejects.toThrow(/Give aScale or bScale/)
    const refused = await ops.gemm(gpu, tensor([1], [1, 1]), tensor([1], [1, 1]), { kernel: 'matrix' }).then(
      () => '',
      (error: unknown) => (error instanceof OptionError ? error.message : ''),
    )
    const [, why = '-'] = /cannot run this product: ([^(.]+?) *[(.]/.exec(refused) ?? []
    expect(refused.split(why).length, refused).toBe(2)
  })
})

describe('ops', () => {
  it('cover the registry', () => {
    expect(
      Object.keys(ops)
        .filter((name) => name !== 'maxPoolWithIndices')
        .toSorted(),
    ).toEqual([...REGISTRY.keys()].toSorted())
    expect(new Set(CALLS.map(([name]) => name))).toEqual(new Set(REGISTRY.keys()))
  })

  it.each(CALLS)('%s', async (_, call, shape, values) => {
    using y = await call()
    expect(y).toBeInstanceOf(DeviceTensor)
    expect(y.shape).toEqual(shape)
    const actual = await y.data()
    expect(actual.length).toBe(values.length)
    values.forEach((value, i) => {
      if (typeof value === 'bigint') expect(actual[i]).toBe(value)
      else expect(actual[i]).toBeCloseTo(value, 5)
    })
  })

  it('gives indices of maxima where they are asked for', async () => {
    const { values, indices } = await ops.maxPoolWithIndices(gpu, PICTURE, { kernel: 2 })
    expect([...(await values.data())]).toEqual([4, 5, 7, 8])
    expect([...(await indices.data())]).toEqual([4n, 5n, 7n, 8n])
    values.dispose()
    indices.dispose()
  })

  it('chains device tensors and leaves no memory behind', async () => {
    const before = gpu.memory.liveBytes
    {
      using x = gpu.upload(tensor([-1, 2, -3, 4], [2, 2]))
      using y = await ops.relu(gpu, x)
      using same = await ops.identity(gpu, y)
      using z = await ops.reshape(gpu, same, [4])
      y.dispose()
      expect([...(await z.data())]).toEqual([0, 2, 0, 4])
    }
    expect(gpu.memory.liveBytes).toBe(before)
  })

  it.each(['i8', 'u8'] as const)('wraps %s before the next op sees it', async (dtype) => {
    using wrapped = await ops.add(gpu, tensor(dtype === 'i8' ? Int8Array.of(100, 200) : Uint8Array.of(100, 200)), 100)
    using product = await ops.mul(gpu, wrapped, 3)
    using wide = await ops.cast(gpu, product, 'i32')
    expect([...(await wide.data())]).toEqual(dtype === 'i8' ? [88, -124] : [88, 132])
  })

  it('says what does not fit before anything runs', async () => {
    await expect(ops.add(gpu, iota(2), iota(3))).rejects.toThrow(ShapeError)
    await expect(ops.add(gpu, iota(2), tensor([1], [1], 'i32'))).rejects.toThrow(DtypeError)
    await expect(ops.pad(gpu, X, { pads: [0] })).rejects.toThrow(ShapeError)
    // A caller without types.
    await expect(ops.leakyRelu(gpu, X, Object.fromEntries([['aplha', 1]]))).rejects.toThrow(/op leakyRelu/)
    await expect(ops.leakyRelu(gpu, X, Object.fromEntries([['aplha', 1]]))).rejects.toThrow(OptionError)
    await expect(ops.matmul(gpu, X, iota(3, 2), { residual: iota(2) })).rejects.toThrow(ShapeError)
    await expect(ops.matmul(gpu, X, iota(3, 2), { scale: iota(3) })).rejects.toThrow(/scale \[3\] does not broadcast to \[2, 2\]/)
    await expect(ops.linear(gpu, X, iota(2, 3), { bias: half(tensor([1, 2])) })).rejects.toThrow(DtypeError)
    await expect(ops.gemm(gpu, X, iota(3, 2), { accumulate: 'f16' })).rejects.toThrow(/Sums of f32 operands cannot be kept in f16/)
    await expect(ops.gemm(gpu, X, iota(3, 2), { kernel: 'fastest' })).rejects.toThrow(
      /There is no kernel fastest .*Kernels: broadcast/,
    )
    await expect(ops.gemm(gpu, X, iota(3, 2), { kernel: { kernel: 'broadcast', rows: 5 } })).rejects.toThrow(OptionError)
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(ops.relu(gpu, X, { signal })).rejects.toThrow('enough')
  })
})

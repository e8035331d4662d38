/** Small models, tensors and pictures for the command line's tests. */
import { encode } from 'fast-png'
import { encodeNpy } from '../../src/formats/npy.ts'
import { tensor } from '../../src/tensor/tensor.ts'
import { initializer, modelBytes, node, valueInfo } from '../formats/onnx-builder.ts'

/** x [N, 3, 8, 8] → convolution (2 filters), ReLU, flatten, 4 classes, softmax. */
export function classifier(batch: number | string = 1): Uint8Array {
  const count = (n: number, scale: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.sin(i + 1) * scale)
  return modelBytes({
    inputs: [valueInfo('x', [batch, 3, 8, 8])],
    outputs: ['scores'],
    initializers: [
      initializer('w', count(2 * 3 * 3 * 3, 0.3), [2, 3, 3, 3]),
      initializer('b', count(2, 0.1), [2]),
      initializer('fw', count(4 * 128, 0.2), [4, 128]),
      initializer('fb', count(4, 0.1), [4]),
    ],
    nodes: [
      node('Conv', ['x', 'w', 'b'], ['c'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }, { name: 'conv' }),
      node('Relu', ['c'], ['r'], {}, { name: 'relu' }),
      node('Flatten', ['r'], ['f'], {}, { name: 'flatten' }),
      node('Gemm', ['f', 'fw', 'fb'], ['g'], { transB: 1 }, { name: 'gemm' }),
      node('Softmax', ['g'], ['scores'], {}, { name: 'softmax' }),
    ],
  })
}

/** Two nodes that no one has, and one that Tilewright has. */
export function unknownOps(): Uint8Array {
  return modelBytes({
    inputs: [valueInfo('x', [1, 3, 8, 8])],
    nodes: [
      node('FancyOp', ['x'], ['a'], {}, { name: 'first' }),
      node('Relu', ['a'], ['b'], {}, { name: 'middle' }),
      node('Conv', ['b', 'b'], ['y'], {}, { name: 'last', domain: 'org.example' }),
    ],
  })
}

export function npy(shape: readonly number[], dtype: 'f32' | 'i32' = 'f32'): Uint8Array {
  const length = shape.reduce((product, extent) => product * extent, 1)
  return encodeNpy(
    tensor(
      Float32Array.from({ length }, (_, i) => (dtype === 'i32' ? i : Math.cos(i))),
      shape,
      dtype,
    ),
  )
}

/** A PNG of `size` × `size` in colour. */
export function png(size: number): Uint8Array {
  const data = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 37) % 256)
  return encode({ width: size, height: size, data, channels: 3, depth: 8 })
}

/**
 * A small language for feed-forward networks over graph nodes: each method adds one layer, named as in the literature, and
 * returns its value with the shape, so that the next layer knows its channels. Weights are seeded (see seeded.ts) or given.
 *
 * Names follow PyTorch: `conv1.weight` [M, C/groups, R, S], `conv1.bias` [M], `fc6.weight` [M, K], and for batch norm
 * `bn1.weight`, `bn1.bias`, `bn1.running_mean`, `bn1.running_var`, all [C]; a safetensors file is looked up by these.
 */
import { DtypeError, ModelFormatError, OptionError, ShapeError } from '../src/errors.ts'
import { graph, type GraphBuilder, type Operand } from '../src/graph/builder.ts'
import type { Graph } from '../src/graph/graph.ts'
import { isFloat } from '../src/tensor/dtype.ts'
import { formatShape, sameShape, sizeOf, type Shape } from '../src/tensor/shape.ts'
import { HostTensor } from '../src/tensor/tensor.ts'
import { heUniform, seededTensor, type Uniform } from './seeded.ts'

export interface NetworkOptions {
  /** Pictures in the batch (default 1). */
  readonly batch?: number
  /** Seed of the weights (default 0). Not used with `weights`. */
  readonly seed?: number
  /** Weights by name, as read from a safetensors file; all must be there. */
  readonly weights?: ReadonlyMap<string, HostTensor>
}

export type NetworkBuilder = (options?: NetworkOptions) => Graph

/** A value of the network under construction. */
export interface Value {
  readonly name: string
  readonly shape: Shape
}

/** One number for both axes, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number]

export interface ConvOptions {
  readonly filters: number
  readonly kernel: Pair
  readonly stride?: Pair
  /** Zeros on both sides. */
  readonly padding?: Pair
  readonly dilation?: Pair
  readonly groups?: number
  /** Default true. */
  readonly bias?: boolean
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Rows and columns that are added at the end of the result. */
  readonly outputPadding?: Pair
}

export interface PoolOptions {
  readonly kernel: number
  readonly stride: number
  readonly padding?: number
  /** Rounds the number of windows up: the last may hang over the edge. */
  readonly ceil?: boolean
}

/** The bounds of relu6. */
const ZERO = new HostTensor('f32', [], Float32Array.of(0))
const SIX = new HostTensor('f32', [], Float32Array.of(6))

const BIAS: Uniform = { centre: 0, spread: 0.05 }

export class Network {
  readonly #name: string
  readonly #batch: number
  readonly #seed: number
  readonly #weights: ReadonlyMap<string, HostTensor> | undefined
  readonly #builder: GraphBuilder

  /** @throws OptionError when the batch or the seed is out of range. */
  constructor(name: string, { batch = 1, seed = 0, weights }: NetworkOptions) {
    if (!Number.isSafeInteger(batch) || batch < 1) throw new OptionError(`Batch ${batch} is no positive integer`, { model: name })
    if (!Number.isSafeInteger(seed)) throw new OptionError(`Seed ${seed} is no integer`, { model: name })
    this.#name = name
    this.#batch = batch
    this.#seed = seed
    this.#weights = weights
    this.#builder = graph(name)
  }

  /** The picture: [batch, channels, size, size]. */
  input(name: string, channels: number, size: number): Value {
    const shape = [this.#batch, channels, size, size]
    return { ...this.#builder.input(name, 'f32', shape), shape }
  }

  /** Convolution: x [N, C, H, W] → [N, filters, P, Q], He-scaled weights. */
  conv(name: string, x: Value, { filters, bias = true, groups = 1, ...options }: ConvOptions): Value {
    const [batch, channels, height, width] = planes(x)
    const { kernel, stride, padding, dilation } = windowOf(options)
    const weight = [filters, channels / groups, ...kernel]
    const inputs = [x, this.#constant(`${name}.weight`, weight, heUniform(sizeOf(weight.slice(1))))]
    if (bias) inputs.push(this.#constant(`${name}.bias`, [filters], BIAS))
    const extent = (size: number, axis: 0 | 1): number =>
      Math.floor((size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis]) + 1
    const attributes = { strides: stride, pads: [...padding, ...padding], dilations: dilation, group: groups }
    return this.#node('conv2d', name, inputs, attributes, [batch, filters, extent(height, 0), extent(width, 1)])
  }

  /**
   * Transposed convolution: x [N, C, H, W] → [N, filters, (H − 1) · stride − 2 · padding + dilation · (kernel − 1) + outputPadding + 1, …],
   * weights [C, filters/groups, R, S], He-scaled by the values that reach a pixel: kernel / stride of them on either axis, on average.
   */
  convTranspose(name: string, x: Value, { outputPadding = 0, ...given }: ConvTransposeOptions): Value {
    const { filters, bias = true, groups = 1, ...options } = given
    const [batch, channels, height, width] = planes(x)
    const { kernel, stride, padding, dilation } = windowOf(options)
    const more = pair(outputPadding)
    const reach = (kernel[0] * kernel[1]) / (stride[0] * stride[1])
    const weight = [channels, filters / groups, ...kernel]
    const inputs = [x, this.#constant(`${name}.weight`, weight, heUniform((channels / groups) * reach))]
    if (bias) inputs.push(this.#constant(`${name}.bias`, [filters], BIAS))
    const extent = (size: number, axis: 0 | 1): number =>
      (size - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (kernel[axis] - 1) + more[axis] + 1
    const attributes = { strides: stride, pads: [...padding, ...padding], dilations: dilation, group: groups, outputPadding: more }
    return this.#node('convTranspose2d', name, inputs, attributes, [batch, filters, extent(height, 0), extent(width, 1)])
  }

  /** Fully connected: x [N, …] flattened to [N, K] → [N, outputs]. */
  linear(name: string, x: Value, outputs: number): Value {
    const depth = sizeOf(x.shape.slice(1))
    const weight = this.#constant(`${name}.weight`, [outputs, depth], heUniform(depth))
    const bias = this.#constant(`${name}.bias`, [outputs], BIAS)
    return this.#node('linear', name, [x, weight, bias], {}, [this.#batch, outputs])
  }

  /**
   * Batch normalisation at inference, (x − mean) / √(var + 1e-5) · weight + bias: mean and bias within ±0.1, var 0.5 … 1.5, and
   * weight 0.5 … 1.5 times `gain`.
   */
  batchNorm(name: string, x: Value, gain = 1): Value {
    const shape = [planes(x)[1]]
    const inputs = [
      x,
      this.#constant(`${name}.weight`, shape, { centre: gain, spread: gain / 2 }),
      this.#constant(`${name}.bias`, shape, { centre: 0, spread: 0.1 }),
      this.#constant(`${name}.running_mean`, shape, { centre: 0, spread: 0.1 }),
      this.#constant(`${name}.running_var`, shape, { centre: 1, spread: 0.5 }),
    ]
    return this.#node('batchNorm', name, inputs, { epsilon: 1e-5 }, x.shape)
  }

  relu(name: string, x: Value): Value {
    return this.#node('relu', name, [x], {}, x.shape)
  }

  /** min(max(x, 0), 6). */
  relu6(name: string, x: Value): Value {
    return this.#node('clip', name, [x, ZERO, SIX], {}, x.shape)
  }

  sigmoid(name: string, x: Value): Value {
    return this.#node('sigmoid', name, [x], {}, x.shape)
  }

  /** x · sigmoid(x). */
  silu(name: string, x: Value): Value {
    return this.mul(name, x, this.sigmoid(`${name}/sigmoid`, x))
  }

  /** a · b; the rows and columns of b may be one. */
  mul(name: string, a: Value, b: Value): Value {
    return this.#node('mul', name, [a, b], {}, a.shape)
  }

  maxPool(name: string, x: Value, options: PoolOptions): Value {
    return this.#pool('maxPool', name, x, options)
  }

  averagePool(name: string, x: Value, options: PoolOptions): Value {
    return this.#pool('averagePool', name, x, options)
  }

  /** [N, C, H, W] → [N, C, 1, 1]. */
  globalAveragePool(name: string, x: Value): Value {
    const [batch, channels] = planes(x)
    return this.#node('globalAveragePool', name, [x], {}, [batch, channels, 1, 1])
  }

  /** Local response normalisation across channels, x / (bias + alpha / size · Σ x²)^beta over `size` channels (ONNX's form). */
  lrn(name: string, x: Value, attributes: { size: number; alpha: number; beta: number; bias: number }): Value {
    return this.#node('lrn', name, [x], attributes, x.shape)
  }

  add(name: string, a: Value, b: Value): Value {
    if (!sameShape(a.shape, b.shape)) {
      throw new ShapeError(`${formatShape(a.shape)} and ${formatShape(b.shape)} cannot be added`, { node: name })
    }
    return this.#node('add', name, [a, b], {}, a.shape)
  }

  /** Joins [N, C₁, H, W], [N, C₂, H, W], … along the channels. */
  concat(name: string, parts: readonly Value[]): Value {
    const [batch, , height, width] = planes(parts[0] ?? { name, shape: [] })
    const channels = parts.reduce((sum, part) => sum + planes(part)[1], 0)
    return this.#node('concat', name, parts, { axis: 1 }, [batch, channels, height, width])
  }

  /** The middle `height` × `width` of x. */
  crop(name: string, x: Value, height: number, width: number): Value {
    const [batch, channels, rows, columns] = planes(x)
    const [top, left] = [Math.floor((rows - height) / 2), Math.floor((columns - width) / 2)]
    const bounds = [indices(top, left), indices(top + height, left + width), indices(2, 3)]
    return this.#node('slice', name, [x, ...bounds], {}, [batch, channels, height, width])
  }

  /** [N, …] → [N, K]. */
  flatten(name: string, x: Value): Value {
    return this.#node('flatten', name, [x], {}, [this.#batch, sizeOf(x.shape.slice(1))])
  }

  /** Along the last axis, or the one given. */
  softmax(name: string, x: Value, axis = -1): Value {
    return this.#node('softmax', name, [x], { axis }, x.shape)
  }

  /** The finished network, with one output of the value's own name. */
  graph(output: Value): Graph {
    this.#builder.output(output.name, output)
    return this.#builder.finish()
  }

  #pool(op: string, name: string, x: Value, { kernel, stride, padding = 0, ceil = false }: PoolOptions): Value {
    const [batch, channels, height, width] = planes(x)
    const extent = (size: number): number => {
      const windows = (size + 2 * padding - kernel) / stride
      const count = (ceil ? Math.ceil(windows) : Math.floor(windows)) + 1
      // A window that would start in the padding after the picture is dropped.
      return ceil && (count - 1) * stride >= size + padding ? count - 1 : count
    }
    const attributes = {
      kernelShape: [kernel, kernel],
      strides: [stride, stride],
      pads: [padding, padding, padding, padding],
      ceilMode: ceil,
    }
    return this.#node(op, name, [x], attributes, [batch, channels, extent(height), extent(width)])
  }

  #node(op: string, name: string, inputs: readonly Operand[], attributes: Readonly<Record<string, unknown>>, shape: Shape): Value {
    return { ...this.#builder.node(op, inputs, { ...attributes, name }), shape }
  }

  /** Declares a weight: the given one, converted to f32, or a seeded one. */
  #constant(name: string, shape: Shape, distribution: Uniform): Operand {
    return this.#builder.constant(this.#given(name, shape) ?? seededTensor(this.#seed, name, shape, distribution), name)
  }

  #given(name: string, shape: Shape): HostTensor | undefined {
    if (this.#weights === undefined) return undefined
    const given = this.#weights.get(name)
    if (given === undefined) {
      throw new ModelFormatError(`The weights for ${this.#name} have no tensor ${name}`, {
        shape,
        given: [...this.#weights.keys()].slice(0, 8),
        remedy: 'Name tensors as LAYER.weight and LAYER.bias, with the layer names that `inspect` shows',
      })
    }
    if (!sameShape(given.shape, shape)) {
      throw new ShapeError(`Weight ${name} of ${this.#name} has shape ${formatShape(given.shape)}, not ${formatShape(shape)}`)
    }
    if (!isFloat(given.dtype)) throw new DtypeError(`Weight ${name} of ${this.#name} is no float`, { dtype: given.dtype })
    if (given.dtype === 'f32') return given
    return new HostTensor('f32', shape, () => Float32Array.from(given.values as ArrayLike<number>))
  }
}

function pair(value: Pair): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value
}

/** The window of a convolution, each of it per axis. */
function windowOf({ kernel, stride = 1, padding = 0, dilation = 1 }: Omit<ConvOptions, 'filters'>): {
  readonly [name in 'kernel' | 'stride' | 'padding' | 'dilation']: readonly [number, number]
} {
  return { kernel: pair(kernel), stride: pair(stride), padding: pair(padding), dilation: pair(dilation) }
}

function indices(...values: readonly number[]): HostTensor {
  return new HostTensor('i64', [values.length], BigInt64Array.from(values, BigInt))
}

function planes({ name, shape }: Value): readonly [batch: number, channels: number, height: number, width: number] {
  const [batch, channels, height, width] = shape
  if (batch === undefined || channels === undefined || height === undefined || width === undefined || shape.length !== 4) {
    throw new ShapeError(`${name} is no batch of pictures`, { shape })
  }
  return [batch, channels, height, width]
}

/**
 * Questions that no limit or feature answers, put to a device by small kernels when it is opened: how its subgroups lie in a
 * workgroup, and how it rounds to half floats.
 */
import { float16Array, halfBits } from '../tensor/half.ts'
import { scoped } from './faults.ts'
import { BUFFER_USAGE, MAP_READ } from './flags.ts'

interface Probe {
  readonly name: string
  /** Binding 0: what the kernel writes; binding 1: `input`, where there is one. One workgroup runs. */
  readonly code: string
  /** Bytes written: a multiple of 4. */
  readonly bytes: number
  readonly input?: Float32Array<ArrayBuffer>
}

/** The bytes that each probe wrote. */
async function ask(device: GPUDevice, probes: readonly Probe[]): Promise<ArrayBuffer[]> {
  const buffers: GPUBuffer[] = []
  const create = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    const buffer = device.createBuffer(descriptor)
    buffers.push(buffer)
    return buffer
  }
  try {
    const stagings = await scoped(device, { op: 'probe' }, () =>
      probes.map(({ name: label, code, bytes: size, input }) => {
        const module = device.createShaderModule({ code, label })
        const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module }, label })
        const output = create({ size, usage: BUFFER_USAGE.storage | BUFFER_USAGE.copySource })
        const staging = create({ size, usage: BUFFER_USAGE.mapRead | BUFFER_USAGE.copyTarget })
        const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: { buffer: output } }]
        if (input !== undefined) {
          const buffer = create({ size: input.byteLength, usage: BUFFER_USAGE.storage | BUFFER_USAGE.copyTarget })
          device.queue.writeBuffer(buffer, 0, input)
          entries.push({ binding: 1, resource: { buffer } })
        }
        const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries })
        const encoder = device.createCommandEncoder()
        const pass = encoder.beginComputePass()
        pass.setPipeline(pipeline)
        pass.setBindGroup(0, group)
        pass.dispatchWorkgroups(1)
        pass.end()
        encoder.copyBufferToBuffer(output, 0, staging, 0, size)
        device.queue.submit([encoder.finish()])
        return staging
      }),
    )
    const answers: ArrayBuffer[] = []
    for (const staging of stagings) {
      await staging.mapAsync(MAP_READ)
      answers.push(staging.getMappedRange().slice(0))
    }
    return answers
  } finally {
    for (const buffer of buffers) buffer.destroy()
  }
}

const LANES = 128

const SUBGROUP_CODE = `enable subgroups;
@group(0) @binding(0) var<storage, read_write> seen: array<vec2<u32>>;
@compute @workgroup_size(X, Y, 1)
fn main(@builtin(local_invocation_index) index: u32, @builtin(subgroup_invocation_id) lane: u32, @builtin(subgroup_size) size: u32) {
  seen[index] = vec2<u32>(lane, size);
}`

/** Whether lane = invocation index modulo subgroup size, in flat and in square workgroups. */
export async function lanesAreLinear(device: GPUDevice): Promise<boolean> {
  const shapes = [
    [LANES, 1],
    [16, LANES / 16],
  ] as const
  const probes = shapes.map(([x, y]): Probe => {
    return { name: 'subgroup probe', code: SUBGROUP_CODE.replace('X', `${x}`).replace('Y', `${y}`), bytes: LANES * 8 }
  })
  for (const answer of await ask(device, probes)) {
    const seen = new Uint32Array(answer)
    for (let index = 0; index < LANES; index++) if (seen[2 * index] !== index % (seen[2 * index + 1] ?? 1)) return false
  }
  return true
}

/** Ties to either side, near ties, both ends of the range and what lies beyond, multiples and halves of the least half float. */
const HALVES = [
  ...[1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -11 - 2 ** -20, 2049, 2051],
  ...[65504, 65519, 65519.99609375, 65520, 65535, 65536, 1e6, 3e38, Infinity],
  ...[2 ** -14, 2 ** -15, 2 ** -24, 1.5 * 2 ** -24, 2.5 * 2 ** -24, 2 ** -25, 1.001 * 2 ** -25, 2 ** -26, 1e-40],
]

/** Whether `f16(x)` rounds to nearest, ties to even, and is infinite from 65520 on: WGSL leaves both to the device. */
export async function halvesRound(device: GPUDevice): Promise<boolean> {
  const values = Float32Array.from([...HALVES, ...HALVES.map((value) => -value), 0, -0])
  const lanes = values.length
  const code = `enable f16;
@group(0) @binding(0) var<storage, read_write> y: array<f16>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@compute @workgroup_size(${lanes})
fn main(@builtin(local_invocation_index) index: u32) { y[index] = f16(x[index]); }`
  const expected = float16Array(lanes)
  expected.set(values)
  const [answer] = await ask(device, [{ name: 'half probe', code, bytes: lanes * 2, input: values }])
  const seen = new Uint16Array(answer ?? new ArrayBuffer(0))
  return seen.length === lanes && halfBits(expected).every((bits, index) => bits === seen[index])
}

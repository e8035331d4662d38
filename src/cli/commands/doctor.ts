/** `tilewright doctor`: what this machine offers, what is missing, and how to get it. */
import { existsSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { Command } from 'commander'
import { FileFormatError, NoAdapterError, TilewrightError } from '../../errors.ts'
import type { Gpu } from '../../gpu/gpu.ts'
import { timeDispatches } from '../../gpu/timer.ts'
import type { TuningStore } from '../../profile/tuning.ts'
import { colorsFor, EXIT, type Context } from '../context.ts'
import { ADAPTER_FLAGS, ADAPTER_HELP, adapterTitle, openNamed, tuningStore } from '../gpu.ts'
import { JSON_FLAGS, JSON_HELP, present, type JsonTarget } from '../output.ts'
import { bytes } from '../table.ts'

export const DOCTOR_SCHEMA = 'tilewright.doctor/1'

interface Options {
  readonly json?: JsonTarget
  readonly adapter?: string
}

/** A feature that Tilewright uses where there is one. */
interface Wanted {
  readonly feature: string
  readonly brings: string
  readonly remedy: string
}

const WANTED: readonly Wanted[] = [
  {
    feature: 'timestamp-query',
    brings: 'times taken by the GPU itself; without it, by the wall clock over batches',
    remedy: 'a newer driver; in Chrome, developer features for unrounded times',
  },
  {
    feature: 'shader-f16',
    brings: 'half-precision storage',
    remedy: 'a GPU and driver with 16-bit storage and arithmetic in shaders',
  },
  {
    feature: 'subgroups',
    brings: 'the network between PEs; without it, workgroup memory and barriers, slower',
    remedy: 'a newer driver (Vulkan 1.3, Metal 3, Direct3D 12 with shader model 6)',
  },
  {
    feature: 'chromium-experimental-subgroup-matrix',
    brings: 'matrix units',
    remedy: 'a GPU with cooperative matrices, and a driver that offers them',
  },
]

const EXAMPLES = `
Examples:
  tilewright doctor
  tilewright doctor --adapter software
  tilewright doctor --json doctor.json

Exit code 1 when there is no adapter.`

export function doctorCommand(context: Context, exit: (code: number) => void): Command {
  return new Command('doctor')
    .description('What this machine offers: adapter, features, limits, subgroups, clock; what is missing and how to get it.')
    .option(ADAPTER_FLAGS, ADAPTER_HELP)
    .option(JSON_FLAGS, JSON_HELP)
    .addHelpText('after', EXAMPLES)
    .action(async ({ adapter, json }: Options) => {
      const machine = describeMachine(context)
      let gpu: Gpu
      try {
        gpu = await openNamed(context, adapter)
      } catch (error) {
        if (!(error instanceof NoAdapterError)) throw error
        const result = { schema: DOCTOR_SCHEMA, ok: false, machine, error: { name: error.name, message: error.message } }
        present(context, json, result, () => `${renderMachine(context, machine)}\n`)
        throw error
      }
      try {
        const result = { schema: DOCTOR_SCHEMA, ok: true, machine, ...(await describeGpu(context, gpu)) }
        present(context, json, result, () => `${renderMachine(context, machine)}\n${renderGpu(context, result)}`)
      } finally {
        gpu.dispose()
      }
      exit(EXIT.ok)
    })
}

interface Machine {
  readonly node: string
  readonly platform: string
  readonly cpu: string
  readonly memory_bytes: number
  /** Environment variables that steer which driver Vulkan loads. */
  readonly drivers: Readonly<Record<string, string>>
}

function describeMachine({ env }: Context): Machine {
  const processors = cpus()
  const drivers: Record<string, string> = {}
  for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES']) {
    const files = env[name]
    if (files === undefined) continue
    const missing = files.split(':').filter((file) => file !== '' && !existsSync(file))
    drivers[name] = missing.length === 0 ? files : `${files} (not there: ${missing.join(', ')})`
  }
  return {
    node: process.version,
    platform: `${platform()} ${arch()} ${release()}`,
    cpu: `${processors[0]?.model.trim() ?? 'unknown'} × ${processors.length}`,
    memory_bytes: totalmem(),
    drivers,
  }
}

async function describeGpu(context: Context, gpu: Gpu) {
  const { facts, adapter } = gpu
  const missing = WANTED.filter(({ feature }) => !facts.features.has(feature))
  const store = tuningStore(context)
  const clock = await timeDispatches(gpu, [], { warmups: 0, samples: 0 })
  return {
    adapter,
    limits: facts.limits,
    subgroups: facts.subgroups ?? null,
    matrices: (facts.matrices ?? []).map(({ M, N, K, component, result }) => `${M}×${N}×${K} ${component}→${result}`),
    clock: { source: clock.source, quantum_ns: clock.quantum_ns },
    /** Kernels that `tilewright tune` found for this adapter, and where they are kept. */
    tuned: { kernels: gpu.tuned.size, kept_in: store?.name ?? null, fault: (await faultOf(store)) ?? null },
    missing,
  }
}

/** Why results of tuning are not used; the reason at length is a remark of `openGpu`. */
async function faultOf(store: TuningStore | undefined): Promise<string | undefined> {
  try {
    await store?.entries()
    return undefined
  } catch (error) {
    if (error instanceof FileFormatError) return 'damaged'
    if (error instanceof TilewrightError) return 'cannot be read'
    throw error
  }
}

function renderMachine(context: Context, machine: Machine): string {
  const { bold } = colorsFor(context, context.out)
  const drivers = Object.entries(machine.drivers).map(([name, files]) => `  ${name}=${files}`)
  return [
    `${bold('Machine')}   ${machine.platform}, Node ${machine.node}`,
    `  ${machine.cpu}, ${bytes(machine.memory_bytes)} memory`,
    ...drivers,
  ].join('\n')
}

function renderGpu(
  context: Context,
  { adapter, limits, subgroups, matrices, clock, tuned, missing }: Awaited<ReturnType<typeof describeGpu>>,
): string {
  const { bold, green, yellow } = colorsFor(context, context.out)
  const lines = [
    `${bold('Adapter')}   ${adapterTitle(adapter)}`,
    `  vendor ${adapter.vendor || '?'}, architecture ${adapter.architecture || '?'}, device ${adapter.device || '?'}`,
    `  toggles: ${adapter.toggles.join(', ') || 'none'}`,
    `${bold('Features')}  ${adapter.features.join(', ')}`,
    bold('Limits'),
    `  largest buffer ${bytes(limits.maxBufferSize)}, largest binding ${bytes(limits.maxStorageBufferBindingSize)}`,
    `  workgroup memory ${bytes(limits.maxComputeWorkgroupStorageSize)}, invocations in a workgroup ${limits.maxComputeInvocationsPerWorkgroup}`,
    `  workgroups along an axis ${limits.maxComputeWorkgroupsPerDimension}, storage buffers in a shader ${limits.maxStorageBuffersPerShaderStage}`,
    subgroups === null
      ? `${bold('Subgroups')} none`
      : `${bold('Subgroups')} ${subgroups.min === subgroups.max ? subgroups.min : `${subgroups.min} to ${subgroups.max}`} lanes, ` +
        `order ${subgroups.linear ? 'linear (probed)' : 'not linear (probed)'}`,
    `${bold('Matrices')}  ${matrices.join(', ') || 'none'}`,
    clock.source === 'wall'
      ? `${bold('Clock')}     wall clock, no timestamp queries`
      : `${bold('Clock')}     timestamp queries, quantum ${clock.quantum_ns} ns (smallest step seen)`,
    `${bold('Tuned')}     ${tuned.kernels} products and convolutions, ${tuned.kept_in === null ? 'kept nowhere: TILEWRIGHT_TUNING is off' : `kept in ${tuned.kept_in}${tuned.fault === null ? '' : `: ${tuned.fault}, not used`}`}`,
  ]
  if (adapter.software) lines.push(yellow('This is a software adapter: correct, and slow. Its times say nothing about a GPU.'))
  if (missing.length === 0) lines.push(green('Nothing is missing.'))
  for (const { feature, brings, remedy } of missing)
    lines.push(`${yellow('Missing')}   ${feature}: ${brings}. To get it: ${remedy}`)
  return lines.join('\n')
}

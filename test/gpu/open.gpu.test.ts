import { afterEach, describe, expect, it } from 'vitest'
import { NoAdapterError, OptionError } from '../../src/errors.ts'
import { openGpu } from '../../src/gpu/node.ts'
import { currentProvider, setProvider } from '../../src/gpu/provider.ts'

describe('openGpu', () => {
  const provider = currentProvider()
  afterEach(() => setProvider(provider))

  it('asks for all useful features and the adapter’s own limits', async () => {
    using gpu = await openGpu()
    expect(gpu.facts.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27)
    expect(gpu.facts.limits).toEqual(expect.objectContaining({ maxBufferSize: gpu.device.limits.maxBufferSize }))
    expect([...gpu.facts.features].toSorted()).toEqual(gpu.adapter.features)
    expect(gpu.adapter.features).toContain('timestamp-query')
    expect(gpu.adapter.toggles).toContain('allow_unsafe_apis')
    expect(gpu.facts.adapter).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
    expect(gpu.facts.language).toContain('packed_4x8_integer_dot_product')
    if (gpu.facts.features.has('subgroups')) {
      expect(gpu.facts.subgroups?.min).toBeGreaterThanOrEqual(4)
      expect(gpu.facts.subgroups?.linear).toBe(true)
    }
  })

  it('leaves out what it is told to, each by itself', async () => {
    for (const name of [
      'subgroups',
      'subgroup-size-control',
      'chromium-experimental-subgroup-matrix',
      'shader-f16',
      'timestamp-query',
    ]) {
      using gpu = await openGpu({ withoutFeatures: [name] })
      expect([...gpu.facts.features]).not.toContain(name)
      if (name === 'subgroups') expect(gpu.facts.subgroups).toBeUndefined()
    }
    await expect(openGpu({ withoutFeatures: ['nonsense'] })).rejects.toThrow(/no feature nonsense/)
  })

  it('says which toggles make a figure unlike a page’s', async () => {
    using gpu = await openGpu({ disableRobustness: true })
    expect(gpu.adapter.toggles).toContain('disable_robustness')
  })

  it('names an adapter that is not there, and those that are', async () => {
    await expect(openGpu({ adapter: 'Voodoo 2' })).rejects.toThrow(NoAdapterError)
    await expect(openGpu({ adapter: 'Voodoo 2' })).rejects.toThrow(
      /No WebGPU adapter is called Voodoo 2.*Available adapters[^]*(Vulkan|driver|Metal)/s,
    )
    await expect(openGpu({ adapter: '' })).rejects.toThrow(OptionError)
  })

  it('opens the software adapter, or a real one, or says that there is none', async () => {
    using any = await openGpu()
    const [have, lack] = any.adapter.software ? (['software', 'gpu'] as const) : (['gpu', 'software'] as const)
    using named = await openGpu({ adapter: have })
    expect(named.adapter.software).toBe(any.adapter.software)
    if (any.adapter.software) await expect(openGpu({ adapter: lack })).rejects.toThrow(/only WebGPU adapter is software/)
  })

  it('lowers limits only', async () => {
    await expect(openGpu({ limits: { maxBufferSize: 2 ** 50 } })).rejects.toThrow(OptionError)
    await expect(openGpu({ limits: { maxStorageBufferBindingSize: 100 } })).rejects.toThrow(/256 to/)
  })

  it('says in a page without WebGPU what to do', async () => {
    setProvider({
      remedy: 'Use another',
      open: () => Promise.resolve({ gpu: { requestAdapter: () => Promise.resolve(null) }, toggles: [] }),
    })
    await expect(openGpu()).rejects.toThrow('No WebGPU adapter. Use another')
    await expect(openGpu({ adapter: 'software' })).rejects.toThrow('No WebGPU adapter is called software. Use another')
  })

  it('opens and disposes many times', async () => {
    for (let i = 0; i < 5; i++) {
      using gpu = await openGpu()
      expect(gpu.memory.liveBytes).toBe(0)
    }
  })
})

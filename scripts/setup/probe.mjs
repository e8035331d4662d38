/**
 * Asks Dawn for the adapter that this process sees, and prints it as one line of JSON. A program of its own, because a driver
 * may print, hang or crash, and because the answer depends on the environment that the process was started with.
 *
 *     node scripts/setup/probe.mjs [software]   →   {"adapter":{...}|null,"software":true|false}
 */
const SOFTWARE = /llvmpipe|lavapipe|softpipe|swiftshader|basic render|warp\b/i

const { create } = await import('webgpu')
const gpu = create([])
const forceFallbackAdapter = process.argv[2] === 'software'
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance', forceFallbackAdapter })
/** @type {import('./gpu-probe.mjs').Probed} */
let answer = { adapter: null, software: false }
if (adapter !== null) {
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info
  const name = description || device || `${vendor} ${architecture}`.trim()
  answer = {
    adapter: { name, vendor, architecture, features: [...adapter.features].sort() },
    software: isFallbackAdapter === true || architecture === 'software' || SOFTWARE.test(`${description} ${device}`),
  }
}
process.stdout.write(`${JSON.stringify(answer)}\n`)

/**
 * Child processes of the set-up and of the two commands: captured ones (npm, apt-get), whose output matters only when they
 * fail, and the one in the foreground, which owns the terminal, gets the signals and gives the exit code.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set()
/** @type {Set<() => void>} */
const cleanups = new Set()

/**
 * Registers what to undo when the set-up is interrupted.
 * @param {() => void} undo synchronous
 * @returns {() => void} takes it back
 */
export function onInterrupt(undo) {
  cleanups.add(undo)
  return () => cleanups.delete(undo)
}

const SIGNALS = process.platform === 'win32' ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * Makes Ctrl-C during the set-up end its children, wait for them (npm puts its half-made folders away), undo what is half
 * done, and exit with 130 (143 for SIGTERM).
 * @returns {() => void} back to the usual
 */
export function interruptible() {
  let stopping = false
  const stop = (signal) => {
    if (stopping) return
    stopping = true
    const ends = [...running].map((child) => new Promise((resolve) => child.once('close', resolve)))
    for (const child of running) child.kill(signal)
    const patience = new Promise((resolve) => setTimeout(resolve, 2000))
    void Promise.race([Promise.all(ends), patience]).then(() => {
      for (const child of running) child.kill('SIGKILL')
      for (const undo of cleanups) undo()
      process.stderr.write('\nstopped\n')
      process.exit(128 + constants.signals[signal])
    })
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  return () => {
    for (const signal of SIGNALS) process.off(signal, stop)
  }
}

/**
 * Runs a program and captures what it prints.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions & { input?: string, onLine?: (line: string) => void, timeoutMs?: number }} [options]
 * @returns {Promise<{ code: number, stdout: string, stderr: string, missing: boolean }>} `missing`: there is no such program
 */
export function capture(file, args, { onLine, timeoutMs, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true, ...options })
    running.add(child)
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    const done = (result) => {
      clearTimeout(timer)
      running.delete(child)
      resolve(result)
    }
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text
      if (onLine !== undefined) for (const line of text.split('\n')) if (line.trim() !== '') onLine(line.trim())
    })
    child.stderr?.setEncoding('utf8').on('data', (text) => (stderr += text))
    child.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === 'ENOENT') done({ code: 127, stdout, stderr: `${file}: no such program`, missing: true })
      else if (error.code === 'EACCES') done({ code: 126, stdout, stderr: `${file}: not allowed`, missing: true })
      else reject(error)
    })
    child.on('close', (code, signal) => done({ code: exitCode(code, signal), stdout, stderr, missing: false }))
  })
}

/** As a shell says it: 128 + n where signal n ended the process. */
const exitCode = (code, signal) => code ?? 128 + constants.signals[signal]

/**
 * Runs a program in the foreground until it ends. Signals go on to it, one of a kind per second (a terminal's Ctrl-C comes from the
 * terminal and from npm), and this process waits however long the child takes to write what it has.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>} the exit code, 128 + n where signal n ended it
 */
export function foreground(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', ...options })
    const last = new Map()
    const forward = (signal) => {
      const now = performance.now()
      if (now - (last.get(signal) ?? -Infinity) < 1000) return
      last.set(signal, now)
      child.kill(signal)
    }
    for (const signal of SIGNALS) process.on(signal, forward)
    const end = () => {
      for (const signal of SIGNALS) process.off(signal, forward)
    }
    child.on('error', (error) => {
      end()
      reject(error)
    })
    child.on('close', (code, signal) => {
      end()
      resolve(exitCode(code, signal))
    })
  })
}

/** The command line as a function: arguments in, exit code out. */
import { Command, CommanderError } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { OptionError } from '../errors.ts'
import { benchCommand } from './commands/bench.ts'
import { diffCommand } from './commands/diff.ts'
import { doctorCommand } from './commands/doctor.ts'
import { evaluateCommand } from './commands/evaluate.ts'
import { exportCommand } from './commands/export.ts'
import { figuresCommand } from './commands/figures.ts'
import { inspectCommand } from './commands/inspect.ts'
import { mapCommand } from './commands/map.ts'
import { profileCommand } from './commands/profile.ts'
import { pruneCommand } from './commands/prune.ts'
import { runCommand } from './commands/run.ts'
import { tuneCommand } from './commands/tune.ts'
import { verifyCommand } from './commands/verify.ts'
import { EXIT, type Context } from './context.ts'
import { printError } from './output.ts'

/** Makes a command; it hands its exit code to `exit` when it is done. */
export type CommandFactory = (context: Context, exit: (code: number) => void) => Command

const COMMANDS: readonly CommandFactory[] = [
  profileCommand,
  runCommand,
  verifyCommand,
  inspectCommand,
  evaluateCommand,
  mapCommand,
  tuneCommand,
  pruneCommand,
  figuresCommand,
  diffCommand,
  exportCommand,
  benchCommand,
  doctorCommand,
]

const EXAMPLES = `
Examples:
  tilewright profile alexnet --html out/alexnet.html     every layer under every dataflow, with a report
  tilewright run model.onnx --input data=cat.jpg --preprocess imagenet --labels labels.txt --top 5
  tilewright verify model.onnx                           every node on the GPU against the CPU reference
  tilewright inspect vgg16                               layers, weights, MACs
  tilewright map alexnet:conv2 --hardware eyeriss --dataflow rs
  tilewright tune model.onnx                             the fastest kernels for this machine, kept
  tilewright prune model.onnx --pattern 2:4 --permute -o pruned.onnx
  tilewright doctor                                      what this machine has

tilewright COMMAND --help says more. Exit code 0: all well; 1: an error, or a check that failed; 130: stopped by Ctrl-C.`

/**
 * Runs one command line (`args` without `node` and the script). Never throws: errors are printed, by name, and give exit code 1.
 */
export async function main(args: readonly string[], context: Context): Promise<number> {
  let code: number = EXIT.ok
  const program = new Command('tilewright')
    .description('Deep neural networks on WebGPU, run and explained as accelerator dataflows.')
    .version(packageJson.version)
    .addHelpText('after', EXAMPLES)
  for (const factory of COMMANDS) program.addCommand(factory(context, (result) => (code = result)))
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
      // Thrown on as a CommanderError, and printed once, below.
      outputError: () => {},
      getOutHelpWidth: () => Math.min(context.out.columns, 132),
      getErrHelpWidth: () => Math.min(context.err.columns, 132),
    })
  }
  try {
    if (args.length === 0) {
      program.outputHelp({ error: true })
      return EXIT.failed
    }
    await program.parseAsync(args, { from: 'user' })
    return context.signal.aborted ? EXIT.interrupted : code
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok
      const asked = program.commands.some((command) => command.name() === args[0]) ? `${args[0]} ` : ''
      const message = error.message.replace(/^error: /, '').replace(/\.$/, '')
      printError(context, new OptionError(message, { remedy: `See tilewright ${asked}--help` }))
      return EXIT.failed
    }
    if (context.signal.aborted) {
      context.err.write('Stopped.\n')
      return EXIT.interrupted
    }
    printError(context, error)
    return EXIT.failed
  }
}

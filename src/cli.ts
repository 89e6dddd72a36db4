#!/usr/bin/env node
/**
 * The command line: arguments in, text or JSON out. Exit codes: 0 done, 1 failed, 2 wrong use; whatever is wrong is one
 * line on stderr. The node itself, with libp2p and its logs, is loaded only by the commands that run one.
 */

import './io/nodeCompatibility.js'
import { Command, CommanderError, Option } from 'commander'
import { causeOf, UserError } from './base/userError.js'
import { VERSION } from './base/version.js'
import { BOOTSTRAP_NAME, isNodeName } from './daemon/nodeName.js'
import { DEFAULT_RUN_DIR } from './daemon/runDirectory.js'
import type { Settings } from './daemon/settings.js'
import type { ServiceManager } from './io/serviceManager.js'

/** What commander hands over: values by the option's name in camel case. */
type Flags = Readonly<Record<string, unknown>>

function program(): Command {
  const command = new Command('tunnelbore')
    .description('Peer discovery and NAT traversal for plain WireGuard, with no central server')
    .version(VERSION)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  nodeOptions(
    command.command('up').description('run beside an existing WireGuard interface, in the foreground'),
  )
    .argument('<interface>')
    .addOption(
      repeatable(
        '--peer <key=host:port>',
        'where a peer is, by a name that is resolved again; may be repeated',
      ),
    )
    .option('--no-mesh', 'join no mesh: only named peers, and endpoints set in WireGuard')
    .addOption(repeatable('--stun <host:port>', 'a further reflector; may be repeated'))
    .addOption(new Option('--reachable', 'others can reach this node').conflicts('unreachable'))
    .option(
      '--punch-rate <checks>',
      'checks that bore holes, a second, for all peers (default: 100)',
      numberOrText,
    )
    .option(
      '--punch-sockets <sockets>',
      'open behind a symmetric NAT, for all peers; 0 for none (default: 256)',
      numberOrText,
    )
    .addOption(new Option('--unreachable', 'others cannot (default: it finds out by itself)'))
    .action(up)
  nodeOptions(
    command
      .command('bootstrap')
      .description('run a node with no WireGuard interface, that others find each other by'),
  ).action(bootstrap)
  command
    .command('status')
    .description('show what the nodes of this machine are doing, like `wg show`')
    .argument('[interface]', 'its node; "bootstrap" for a bootstrap node (default: every one)')
    .option('--json', 'for programs: an object, or an array where several nodes run', false)
    .option('--watch', 'again each second', false)
    .option('--run-dir <dir>', 'where the control socket is', DEFAULT_RUN_DIR)
    .action(status)
  command
    .command('resolve')
    .description('look a record up and show it')
    .argument('<public key>', 'a WireGuard public key, as `wg` prints it')
    .option('--json', 'for programs', false)
    .option('--interface <interface>', 'which node is to ask (default: the first that runs)')
    .option('--run-dir <dir>', 'where the control socket is', DEFAULT_RUN_DIR)
    .action(resolve)
  command
    .command('doctor')
    .description('say what this machine and this network allow, and what mends what they do not')
    .option('--json', 'for programs', false)
    .option('--run-dir <dir>', 'where the control sockets are', DEFAULT_RUN_DIR)
    .action(doctor)
  command
    .command('why')
    .description('say why a peer is direct, relayed or unreachable, and what was tried')
    .argument('<interface or public key>', 'the interface, or the key of a peer of any node that runs')
    .argument('[public key]', 'where an interface is named: the key of a peer of it')
    .usage('[options] [interface] <public key>')
    .option('--json', 'for programs', false)
    .option('--run-dir <dir>', 'where the control socket is', DEFAULT_RUN_DIR)
    .action(why)
  return command
}

function nodeOptions(command: Command): Command {
  return command
    .addOption(repeatable('--bootstrap <multiaddr>', 'a known node; may be repeated'))
    .option('--network <name>', 'the mesh to join (default: "tunnelbore")')
    .option('--network-key <file>', 'close the network with a pre-shared key')
    .option('--no-port-mapping', 'do not ask the gateway to open our ports (PCP, NAT-PMP, UPnP)')
    .option('--no-lan', 'neither look for nodes on the LAN by mDNS nor be found there')
    .option(
      '--gossip-limit <nodes>',
      'do not gossip in a larger fleet; 0 for not at all (default: 2000)',
      numberOrText,
    )
    .option('--relay', 'while it serves the mesh, relay ciphertext for peers that cannot meet (the default)')
    .option('--no-relay', 'do not')
    .option('--relay-sessions <number>', 'pairs that are relayed at a time (default: 1000)', numberOrText)
    .option('--relay-rate <Mbit/s>', 'what is relayed in all (default: 1000)', numberOrText)
    .option('--relay-ports <first-last>', 'UDP ports for what is relayed (default: any)')
    .option(
      '--listen-port <port>',
      'UDP for packets and checks, TCP for libp2p (default: 51821 or the next free one, kept)',
      numberOrText,
    )
    .addOption(
      new Option(
        '--also-listen <port>',
        'a further TCP port for libp2p, such as 443; may be repeated',
      ).argParser((value: string, sofar: readonly (number | string)[] = []) => [
        ...sofar,
        numberOrText(value),
      ]),
    )
    .option('--state-dir <dir>', 'what is remembered (default: "/var/lib/tunnelbore")')
    .option('--run-dir <dir>', `where the control socket is (default: "${DEFAULT_RUN_DIR}")`)
    .option('--config <file.toml>', 'all of these in a file')
    .option('--log-level <level>', 'trace, debug, info, warn, error, fatal or silent (default: "info")')
}

/** What is no number is told of by the configuration, with the name of the option. */
function numberOrText(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text
}

function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, sofar: readonly string[] = []) => [
    ...sofar,
    value,
  ])
}

async function up(interfaceName: string, flags: Flags): Promise<void> {
  const { upConfig } = await import('./daemon/config.js')
  const config = upConfig(interfaceName, await settings(flags))
  const [{ createLogger }, { runNode }, { startUp }] = await Promise.all([
    import('./daemon/logger.js'),
    import('./cli/runNode.js'),
    import('./daemon/up.js'),
  ])
  const logger = await createLogger(config.logLevel, config.interface)
  await runNode(() => startUp(config, logger), logger, await serviceManager())
}

async function bootstrap(flags: Flags): Promise<void> {
  const { bootstrapConfig } = await import('./daemon/config.js')
  const config = bootstrapConfig(await settings(flags))
  const [{ createLogger }, { runNode }, { startBootstrap }] = await Promise.all([
    import('./daemon/logger.js'),
    import('./cli/runNode.js'),
    import('./daemon/bootstrap.js'),
  ])
  const logger = await createLogger(config.logLevel, BOOTSTRAP_NAME)
  await runNode(() => startBootstrap(config, logger), logger, await serviceManager())
}

async function serviceManager(): Promise<ServiceManager | undefined> {
  const { ServiceManager } = await import('./io/serviceManager.js')
  return ServiceManager.of(process.env, process.pid)
}

/** The command line, then the file that it names. */
async function settings(flags: Flags): Promise<readonly Settings[]> {
  const { config, reachable, unreachable, lan, mesh, portMapping, ...rest } = flags
  const values = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
      value,
    ]),
  )
  const override = {
    ...(reachable === true || unreachable === true ? { reachable: reachable === true } : {}),
    // Where --no-… is not given commander says true, which is not to hide what the file says.
    ...(lan === false ? { lan } : {}),
    ...(mesh === false ? { mesh } : {}),
    ...(portMapping === false ? { 'port-mapping': false } : {}),
  }
  const commandLine: Settings = {
    file: undefined,
    directory: process.cwd(),
    values: { ...values, ...override },
  }
  if (typeof config !== 'string') return [commandLine]
  const { readConfigFile } = await import('./daemon/settings.js')
  return [commandLine, await readConfigFile(config)]
}

interface AskFlags {
  readonly json: boolean
  readonly runDir: string
}

async function status(
  node: string | undefined,
  flags: AskFlags & { readonly watch: boolean },
): Promise<void> {
  const { printStatus, watchStatus } = await import('./cli/statusCommand.js')
  const options = { node: checkedNode(node), runDir: flags.runDir, json: flags.json }
  if (!flags.watch) return await printStatus(options)
  const ended = new AbortController()
  process.once('SIGINT', () => ended.abort())
  process.once('SIGTERM', () => ended.abort())
  await watchStatus(options, ended.signal)
}

async function resolve(key: string, flags: AskFlags & { readonly interface?: string }): Promise<void> {
  const { printRecord } = await import('./cli/resolveCommand.js')
  await printRecord(key, { node: checkedNode(flags.interface), runDir: flags.runDir, json: flags.json })
}

/** What is found is the output; that something has to be mended is the exit code. */
async function doctor({ json, runDir }: AskFlags): Promise<void> {
  const { printDiagnosis } = await import('./cli/doctorCommand.js')
  if (!(await printDiagnosis({ json, runDir }))) process.exitCode = 1
}

/** One argument is the key; of two, the first is the interface. */
async function why(first: string, second: string | undefined, flags: AskFlags): Promise<void> {
  const { printWhy } = await import('./cli/whyCommand.js')
  const [node, key] = second === undefined ? [undefined, first] : [first, second]
  await printWhy(key, { node: checkedNode(node), runDir: flags.runDir, json: flags.json })
}

/** The name of a node as the user gave it. */
function checkedNode(name: string | undefined): string | undefined {
  if (name === undefined || isNodeName(name)) return name
  throw new UserError(`${JSON.stringify(name)} is no interface name; see wg show interfaces`, 2)
}

/** Reads the arguments, does what they say, and returns the exit code. */
async function main(argv: readonly string[]): Promise<0 | 1 | 2> {
  try {
    await program().parseAsync(argv, { from: 'user' })
    return process.exitCode === 1 ? 1 : 0
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0
      return complain(usageMessage(error), 2)
    }
    if (error instanceof UserError) return complain(error.message, error.exitCode)
    return complain(
      `unexpected: ${causeOf(error)}; the log of up or bootstrap with --log-level debug tells more`,
      1,
    )
  }
}

/** commander's message on one line, with where to look. */
function usageMessage(error: CommanderError): string {
  const said =
    error.code === 'commander.help'
      ? 'a command is missing: up, bootstrap, status, resolve, why or doctor'
      : error.message.replace(/^error: /, '').replace(/\.?\s*\n\s*/g, ' ')
  return `${said}; see tunnelbore --help`
}

function complain(message: string, code: 1 | 2): 1 | 2 {
  process.stderr.write(`tunnelbore: ${message.replace(/\s*\n\s*/g, ' ')}\n`)
  return code
}

// Who reads us may have enough (`| head`).
process.stdout.on('error', () => process.exit(0))
// Explicitly, because a library may leave a timer behind.
process.exit(await main(process.argv.slice(2)))

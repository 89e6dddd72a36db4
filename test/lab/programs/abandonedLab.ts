/** A run that will be killed: makes a laboratory with a WireGuard interface, tells of it, and waits for its end. */

import { Laboratory } from '../laboratory.js'
import { WireGuard } from '../wireguard.js'

const lab = await Laboratory.create()
const host = await lab.host()
const wireguard = await WireGuard.create(host, { addresses: ['10.99.0.1'] })
const sleeper = host.spawn('sleep', ['3600'])
process.send?.({
  directory: lab.directory,
  namespace: host.namespace.name,
  interface: wireguard.name,
  sleeper: sleeper.pid,
})

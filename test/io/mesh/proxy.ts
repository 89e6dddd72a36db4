/**
 * A TCP proxy before a node. Made silent, it stands for the network behind a peer that has moved, or lost its power: what
 * was open stays open at both ends and carries nothing more, not even an end. What is opened afterwards passes.
 */

import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'

interface Pair {
  readonly near: Socket
  readonly far: Socket
  silent: boolean
}

export class SilentProxy {
  /** How many connections were accepted so far. */
  accepted = 0
  /** While true, connections are accepted and silent from the first. */
  swallows = false
  /** The address at which the node is reached through here. */
  readonly address: string
  readonly #pairs = new Set<Pair>()

  private constructor(address: string) {
    this.address = address
  }

  /**
   * Starts one before the node at `address`, on 127.0.0.1; it is closed at the end of the test. `localAddress`: from where
   * the node sees it come.
   */
  static async start(t: TestContext, address: string, localAddress = '127.0.0.1'): Promise<SilentProxy> {
    const components = multiaddr(address).getComponents()
    const part = (name: string) => components.find((component) => component.name === name)?.value
    const [host, port, id] = [part('ip4'), part('tcp'), part('p2p')]
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const own = server.address()
    if (typeof own !== 'object' || own === null) throw new Error('the proxy does not listen')
    const proxy = new SilentProxy(`/ip4/127.0.0.1/tcp/${own.port}/p2p/${id}`)
    server.on('connection', (near) => {
      const far = createConnection({ port: Number(port), host: host ?? '', localAddress })
      proxy.#join({ near, far, silent: proxy.swallows })
    })
    t.after(() => {
      server.close()
      for (const { near, far } of proxy.#pairs) {
        near.destroy()
        far.destroy()
      }
    })
    return proxy
  }

  /** Nothing passes until {@link resume}, and nothing is lost. */
  hold(): void {
    for (const { near, far } of this.#pairs) {
      near.pause()
      far.pause()
    }
  }

  resume(): void {
    for (const { near, far } of this.#pairs) {
      near.resume()
      far.resume()
    }
  }

  /** From now on nothing passes over what is open. */
  silence(): void {
    for (const pair of this.#pairs) pair.silent = true
  }

  #join(pair: Pair): void {
    this.accepted += 1
    this.#pairs.add(pair)
    for (const [from, to] of [
      [pair.near, pair.far],
      [pair.far, pair.near],
    ] as const) {
      from.on('data', (bytes) => {
        if (!pair.silent) to.write(bytes)
      })
      from.on('error', () => {})
      from.on('close', () => {
        if (!pair.silent) to.destroy()
      })
    }
  }
}

/** Questions to a gateway over UDP: sent again until they are answered, or their time is over. */

import type { Socket } from 'node:dgram'
import { familyOf, type SocketAddress, scopeOf } from '../../base/address.js'
import type { MappingSite } from '../../engine/path/mappedPort.js'
import { bindUdpSocket } from '../udpSocket.js'

/** RFC 6886 section 3.1 and RFC 6887 section 8.1.1 wait longer; a gateway that is there answers within milliseconds. */
const WAITS_MS = [250, 500, 1_000, 1_000]
/** Who floods us is listened to no longer. */
const MAX_DATAGRAMS = 64

export interface Question {
  readonly datagrams: readonly Uint8Array[]
  /** Where they are sent; of the gateway alone, answers are heard. */
  readonly to: readonly SocketAddress[]
  /** True where the answer is what was waited for. */
  readonly onAnswer: (bytes: Uint8Array) => boolean
}

/** Resolves when it is answered or its time is over; never rejects, whatever the network does. */
export async function exchange(site: MappingSite, question: Question, signal: AbortSignal): Promise<void> {
  let socket: Socket
  try {
    // An address that is gone, or not ready yet, answers to nobody.
    socket = bindUdpSocket({ ip: site.local, port: 0 })
  } catch {
    return
  }
  await new Promise<void>((resolve) => {
    let timer: NodeJS.Timeout | undefined
    let sent = 0
    let heard = 0
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const send = () => {
      const wait = WAITS_MS[sent]
      if (wait === undefined) return end()
      sent += 1
      for (const { ip, port } of question.to)
        for (const datagram of question.datagrams)
          socket.send(datagram, port, zoned(ip, site.device), () => {})
      timer = setTimeout(send, wait)
    }
    socket.on('error', end)
    socket.on('message', (bytes, { address }) => {
      if (address.split('%')[0] !== site.gateway) return
      heard += 1
      if (question.onAnswer(bytes) || heard >= MAX_DATAGRAMS) end()
    })
    signal.addEventListener('abort', end)
    if (signal.aborted) return end()
    socket.unref()
    if (familyOf(site.local) === 4) {
      try {
        socket.setMulticastInterface(site.local)
        // UPnP Device Architecture 1.1 section 1.3.2: no further than the LAN.
        socket.setMulticastTTL(2)
      } catch {
        // A device that has no multicast: the gateway's own address is asked as well.
      }
    }
    send()
  })
  socket.close()
}

function zoned(ip: string, device: string): string {
  return familyOf(ip) === 6 && scopeOf(ip) === 'link-local' ? `${ip}%${device}` : ip
}

/** Echo requests, one every 50 ms, and which of them were answered. */

import { until } from '../until.js'
import type { Host } from './host.js'
import type { LabProcess } from './labProcess.js'

/** So many answers in a row say that a way is sound. */
const SOUND = 20

export class PingStream {
  static readonly INTERVAL_MS = 50
  readonly #process: LabProcess

  private constructor(process: LabProcess) {
    this.#process = process
  }

  /** Begins, whether there is an answer or not. */
  static start(from: Host, address: string): PingStream {
    const interval = String(PingStream.INTERVAL_MS / 1_000)
    return new PingStream(from.spawn('ping', ['-n', '-D', '-i', interval, address], { env: { LC_ALL: 'C' } }))
  }

  /**
   * Runs from one host to an address while something happens, until the way is sound again. Resolves to the stream, which
   * has ended, and how many of its requests were not answered.
   */
  static async through(from: Host, address: string, happens: () => Promise<unknown>) {
    const stream = PingStream.start(from, address)
    await stream.untilSound()
    await happens()
    await stream.untilSound(stream.answered.at(-1) ?? 0)
    return { stream, lost: await stream.stop() }
  }

  /** The numbers of the requests that were answered so far, in the order of the answers. */
  get answered(): readonly number[] {
    return [...this.#process.stdout.matchAll(/icmp_seq=(\d+) ttl=/g)].map((match) => Number(match[1]))
  }

  /** From the first request to the first answer, to whichever request that was; undefined as long as there is none. */
  get firstAnswerMs(): number | undefined {
    const first = /icmp_seq=(\d+) ttl=.* time=([\d.]+) ms/.exec(this.#process.stdout)
    return first === null ? undefined : (Number(first[1]) - 1) * PingStream.INTERVAL_MS + Number(first[2])
  }

  /** When the answers came, in ms since 1970. */
  get answeredAt(): readonly number[] {
    const lines = this.#process.stdout.matchAll(/^\[([\d.]+)\] .*icmp_seq=\d+ ttl=/gm)
    return [...lines].map((match) => Number(match[1]) * 1_000)
  }

  /** The longest time between two answers, one after the other. */
  get longestSilenceMs(): number {
    const times = this.answeredAt
    return times
      .slice(1)
      .reduce((longest, time, index) => Math.max(longest, time - (times[index] ?? time)), 0)
  }

  /**
   * Waits until some requests in a row are answered, all of them later than `after`, and gives the first of them. An
   * Error after 60 s, or `deadlineMs`.
   */
  untilSound(after = 0, deadlineMs = 60_000): Promise<number> {
    return until(
      'a ping to be answered again and again',
      () => {
        const last = this.answered.slice(-SOUND)
        const [first] = last
        const isSound = last.length === SOUND && last.every((seq, index) => seq === (first ?? 0) + index)
        return isSound && first !== undefined && first > after ? first : undefined
      },
      deadlineMs,
    )
  }

  /** Ends it. Resolves to how many of the requests from the first answered one to the last were not answered. */
  async stop(): Promise<number> {
    await this.#process.stop('SIGINT')
    const { answered } = this
    const [first = 0, last = 0] = [answered[0], answered.at(-1)]
    return last - first + 1 - new Set(answered).size
  }
}

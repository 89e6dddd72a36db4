/** protons throws on bytes that are no protobuf, or have more elements than allowed. Here, and only here, that is caught. */

/** What `decode` makes of `bytes`; undefined where it throws. */
export function decodeProtobuf<Message>(
  decode: (bytes: Uint8Array) => Message,
  bytes: Uint8Array,
): Message | undefined {
  try {
    return decode(bytes)
  } catch {
    return undefined
  }
}

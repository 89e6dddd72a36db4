/** The names by which the nodes of one machine are told apart: they name sockets, state files and lines of the log. */

/** The bootstrap node's name, where other nodes are known by their interface. */
export const BOOTSTRAP_NAME = 'bootstrap'

/**
 * True for an interface's name as wg-quick allows it, and for {@link BOOTSTRAP_NAME}; but a leading dash, which
 * commands take for an option, is refused. Such a name is safe as a file name.
 */
export function isNodeName(name: string): boolean {
  return /^[a-zA-Z0-9_=+.][a-zA-Z0-9_=+.-]{0,14}$/.test(name) && name !== '.' && name !== '..'
}

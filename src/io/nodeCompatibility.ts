/** What libp2p expects of the JavaScript engine and Node 20 lacks. Imported for its effect, before any of libp2p. */

if (!('withResolvers' in Promise)) {
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value: function withResolvers<Value>(this: PromiseConstructor) {
      let resolve: (value: Value | PromiseLike<Value>) => void = () => {}
      let reject: (reason?: unknown) => void = () => {}
      const promise = new this<Value>((onResolve, onReject) => {
        resolve = onResolve
        reject = onReject
      })
      return { promise, resolve, reject }
    },
  })
}

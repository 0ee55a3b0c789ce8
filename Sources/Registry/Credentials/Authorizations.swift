import Synchronization

/// The header `Authorization` that worked last, for each registry and purpose.
final class Authorizations: Sendable {
  struct Key: Sendable, Hashable {
    let origin: HTTPOrigin
    let access: RegistryRequest.Access?
  }

  private let headers = Mutex<[Key: String]>([:])

  subscript(key: Key) -> String? {
    get { headers.withLock { $0[key] } }
    set { headers.withLock { $0[key] = newValue } }
  }
}

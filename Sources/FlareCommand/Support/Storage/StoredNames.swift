import ArgumentParser
import Bundles
import Files
import Models
import Store
import Synchronization
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension Store {
  /// The store of the user who runs the command.
  static func standard() throws(StoreError) -> Store {
    try Store(environment: environment(Store.environmentNames))
  }
}

/// The variables of the environment among `names` that are set.
func environment(_ names: [String]) -> [String: String] {
  var values: [String: String] = [:]
  for name in names { values[name] = unsafe getenv(name).map { unsafe String(cString: $0) } }
  return values
}

extension FilePath {
  /// Where something is that an argument means: the path that it is, or else the directory of a name
  /// in the store.
  ///
  /// A path that exists always wins, and is said to when the store has the name as well: so what an
  /// argument means is never another thing than it looks like, without a word. A text that is neither
  /// stays a path, and the error is that of a missing file.
  ///
  /// - Throws: `StoreError` when the store has the name and cannot give the bundle.
  init(pathOrName argument: String) throws {
    self.init(argument)
    guard let name = try? StoreName(argument), let store = try? Store.standard() else { return }
    guard exists else {
      if let directory = try store.directoryIfAny(of: name) { self = directory }
      return
    }
    if (try? store.directoryIfAny(of: name)) != nil {
      standardError.write(
        "flare: '\(argument)' is a path here and a name in the store; the path is used\n")
    }
  }

  /// The same as the transform of an argument of a command.
  static func pathOrName(_ argument: String) throws -> FilePath {
    guard !argument.isEmpty else { throw ValidationError("it is empty, expected a path or a name") }
    do {
      return try FilePath(pathOrName: argument)
    } catch let error as any FlareError {
      StoreFailure.note(error)
      throw error
    }
  }
}

extension ModelFiles {
  /// Opens what an argument means.
  ///
  /// A model of the store is called by its name there, not by that of its directory, which is a digest.
  init(
    argument path: FilePath, requiring keys: [VerifyingKey] = [], checksFiles: Bool = false
  ) throws {
    try self.init(path, requiring: keys, checksFiles: checksFiles)
    if let name = try? Store.standard().name(ofBundleAt: path) { self.name = name.shortName }
  }

  /// The same for a model that something is made of, after every byte of a bundle was checked: what is
  /// written has hashes of its own, and nothing damaged may get some.
  init(wholeArgument path: FilePath, requiring keys: [VerifyingKey] = []) throws {
    try self.init(argument: path, requiring: keys, checksFiles: true)
    try bundle?.pieces?.checkAll()
  }
}

/// Why the store could not give what an argument means.
///
/// The parser takes whatever an argument's transform throws for a mistake in the call, and does not
/// hand it on. A damaged store is none, so the command looks here first.
enum StoreFailure {
  private static let first = Mutex<(any FlareError)?>(nil)

  static var error: (any FlareError)? { first.withLock(\.self) }

  fileprivate static func note(_ error: any FlareError) {
    first.withLock { $0 = $0 ?? error }
  }
}

/// What to say beside an error that a path is missing, when it is a name of the store where none can
/// be used, or is spelled like a model in a registry.
func storeHint(after error: any FlareError) -> String {
  guard let error = error as? FileError, error.code == .notFound,
    let name = try? StoreName(error.path.string)
  else { return "" }
  if (try? Store.standard())?.contains(name) == true {
    return ". The store has that name, but this needs a file or directory of its own"
  }
  guard error.path.string.contains(":"), name.reference != nil else { return "" }
  return ", and no name in the store. 'flare pull \(name)' fetches it"
}

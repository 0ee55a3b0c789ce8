public import SystemPackage

/// Bundles on this machine under names, every different file of them once.
///
///     let store = try Store(environment: ["HOME": "/home/ada"])
///     try store.add("model.flare", as: StoreName("maya:int4"))
///     let model = try Bundle(store.directory(of: StoreName("maya:int4")))
///
/// A file is a blob that its SHA-256 names; ten bundles with the same weights hold them once. Each
/// bundle is also a directory of links to its blobs, which is opened and mapped like any other.
/// Several processes can use a store at a time. `formats/store.md` describes the layout.
public struct Store: Sendable {
  public let path: FilePath

  /// Uses the store at `path`, which is made when something is put into it.
  public init(_ path: FilePath) { self.path = path }

  /// Uses the store of the user: in `FLARE_STORE`, or in `flare` below `XDG_DATA_HOME`, or in
  /// `~/.local/share/flare`.
  ///
  /// - Throws: `StoreError` when none of the variables says where that is.
  public init(environment: [String: String]) throws(StoreError) {
    func variable(_ name: String) -> FilePath? {
      environment[name].flatMap { $0.isEmpty ? nil : FilePath($0) }
    }
    if let place = variable("FLARE_STORE") {
      self.init(place)
    } else if let data = variable("XDG_DATA_HOME"), data.isAbsolute {
      // The specification wants a relative path ignored.
      self.init(data.appending("flare"))
    } else if let home = variable("HOME") {
      self.init(home.appending(".local").appending("share").appending("flare"))
    } else {
      throw StoreError(
        .noPlace, "store", "neither FLARE_STORE nor HOME says where it is. Set FLARE_STORE")
    }
  }

  /// The variables of the environment that say where a store is.
  public static let environmentNames = ["FLARE_STORE", "XDG_DATA_HOME", "HOME"]
}

extension Store {
  /// Files by their digest.
  var blobs: FilePath { path.appending("blobs").appending("sha256") }
  /// What a name stands for.
  var names: FilePath { path.appending("names") }
  /// Directories of links to blobs, by the digest of what they list.
  var bundles: FilePath { path.appending("bundles") }
  /// What is being fetched.
  var partial: FilePath { path.appending("partial") }
}

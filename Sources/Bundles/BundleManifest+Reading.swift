import Files
import JSON
package import SystemPackage
import Tensors

extension BundleManifest {
  /// A longer manifest is an attack on memory, not a bundle.
  static let maximumByteCount = 16 << 20

  /// Reads the manifest of a bundle in either form, or a manifest alone, whose signatures are beside it.
  ///
  /// - Parameter keys: of which one has to have signed it, if there are any.
  /// - Throws: `FileError`, or `BundleError`, also when none of the keys has signed.
  package init(at path: FilePath, requiring keys: [VerifyingKey] = []) throws {
    if !path.isDirectory, BundleArchive.isArchive(path) {
      self = try ArchivedFiles(path, requiring: keys).manifest
      return
    }
    let head =
      try path.isDirectory
      ? SignedManifest(inDirectory: path) : SignedManifest(manifest: path, of: path)
    if !keys.isEmpty { try head.checkSignatures(requiring: keys) }
    self = try head.manifest()
  }

  /// Reads and checks the manifest of the bundle in `directory`.
  ///
  /// - Throws: `FileError` or `BundleError`.
  package init(inDirectory directory: FilePath) throws {
    try Self.checkPresence(inDirectory: directory)
    let path = directory.appending(Self.fileName)
    let file = try MappedFile(path)
    try self.init(parsing: Span<UInt8>(_bytes: file.bytes), path: path)
  }

  /// Checks that there is a manifest in `directory`.
  static func checkPresence(inDirectory directory: FilePath) throws {
    guard directory.isDirectory else {
      throw FileError(directory.exists ? .notADirectory : .notFound, directory)
    }
    guard directory.appending(Self.fileName).exists else {
      throw BundleError(
        .malformedManifest, directory,
        "holds no '\(Self.fileName)' and so is no bundle. 'flare convert MODEL -o DIR' makes one"
      )
    }
  }

  /// Parses and checks the text of a manifest.
  ///
  /// - Parameter path: where the text is from, for messages.
  init(parsing text: Span<UInt8>, path: FilePath) throws(BundleError) {
    guard text.count <= Self.maximumByteCount else {
      throw BundleError(
        .malformedManifest, path,
        "is \(text.count) bytes long, the limit is \(Self.maximumByteCount)")
    }
    do {
      let document = try JSONValue(parsing: text)
      // The version decides how to read everything else, so it comes first.
      let version = try Self.version(JSONFields(document, subject: "manifest"), path: path)
      try self.init(JSONFields(document, subject: "manifest"), version: version)
    } catch let error as BundleError {
      throw error
    } catch {
      throw BundleError(.malformedManifest, path, "\(error)")
    }
  }

  private static func version(_ fields: JSONFields, path: FilePath) throws -> Version {
    let format = try fields.required("format", as: String.self)
    guard format == formatName else {
      throw BundleError(
        .malformedManifest, path, "'format' is '\(format)', expected '\(formatName)'")
    }
    let spelling = try fields.required("version", as: String.self)
    let numbers = spelling.split(separator: ".", omittingEmptySubsequences: false).map {
      $0.allSatisfy(\.isASCII) && $0.first?.isNumber == true ? Int($0) : nil
    }
    guard numbers.count == 2, let major = numbers[0], let minor = numbers[1] else {
      throw BundleError(
        .malformedManifest, path, "'version' is '\(spelling)', expected two numbers such as '1.0'")
    }
    guard major <= Version.current.major else {
      throw BundleError(
        .newerVersion, path,
        "the bundle has version \(spelling), this program reads up to \(Version.current.major).x. "
          + "Update the program")
    }
    return Version(major: major, minor: minor)
  }

  private init(_ fields: JSONFields, version: Version) throws(JSONFieldError) {
    self.init(
      kind: try Self.kind(fields, version),
      architecture: try fields.required("architecture"),
      createdBy: try fields.required("created_by"),
      quantization: try fields.fields("quantization").map(Quantization.init),
      base: try fields.fields("base").map(Base.init),
      adapters: try Adapter.list(in: fields),
      delta: try fields.fields("delta").map(Delta.init),
      recipe: fields.members["recipe"] ?? .null,
      license: try fields.optional("license"))
    self.version = version
    packedTensors = try Self.packedTensors(fields)
    guard fields.members["files"] != nil else {
      throw JSONFieldError("\(fields.subject): 'files' is missing, expected a list of objects")
    }
    files = try fields.list("files", of: File.init)
    try checkFiles()
    tree = try fields.fields("tree").map(Tree.init)
    try checkTree()
    guard kind != .delta || delta != nil && base?.fingerprint != nil else {
      throw JSONFieldError("manifest: a delta without 'delta' or the fingerprint of its 'base'")
    }
  }

  /// Bundles of version 1 are models.
  private static func kind(
    _ fields: JSONFields, _ version: Version
  ) throws(JSONFieldError) -> Kind {
    guard version.major > 1 else { return .model }
    let spelling = try fields.required("kind", as: String.self)
    guard let kind = Kind(rawValue: spelling) else {
      let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw JSONFieldError("manifest: 'kind' is '\(spelling)', expected one of \(known)")
    }
    return kind
  }

  private static func packedTensors(_ fields: JSONFields) throws(JSONFieldError) -> [TensorInfo] {
    guard let table = try fields.fields("packed_tensors") else { return [] }
    if let name = table.members.ambiguousKey {
      throw JSONFieldError("\(table.subject): two tensors are named '\(name)', in different bytes")
    }
    var infos: [TensorInfo] = []
    for name in table.members.keys {
      guard let entry = try table.fields(name) else {
        throw JSONFieldError("\(table.subject): '\(name)' is null, expected an object")
      }
      let extents = try entry.required("shape", as: [Int].self)
      let type = try entry.elementType("type")
      guard extents.allSatisfy({ $0 >= 0 }), type.isQuantized,
        type.byteCount(of: Shape(extents)) != nil
      else { throw JSONFieldError("\(entry.subject): \(type) cannot have shape \(extents)") }
      infos.append(TensorInfo(name: name, shape: Shape(extents), elementType: type))
    }
    return infos
  }

  /// Checks that every path stays inside the bundle and that no two want the same place.
  private func checkFiles() throws(JSONFieldError) {
    let paths = files.map(\.path)
    if let defect = PlainPath.defect(in: paths) { throw JSONFieldError("manifest: \(defect)") }
    if let own = paths.first(where: Self.ownNames.contains) {
      throw JSONFieldError("manifest: lists '\(own)', which no manifest lists")
    }
    var total = 0
    for file in files {
      let (sum, overflow) = total.addingReportingOverflow(file.byteCount)
      guard !overflow else { throw JSONFieldError("manifest: the sizes of the files overflow") }
      total = sum
    }
  }
}

extension BundleManifest {
  /// Files that every bundle may have and no manifest lists.
  static let ownNames = [fileName, BundleSignatures.fileName]

  /// Checks that the tree is a listed file of the size that its pieces need.
  private func checkTree() throws(JSONFieldError) {
    guard let tree else { return }
    guard let file = files.last, file.path.utf8.elementsEqual(tree.path.utf8) else {
      throw JSONFieldError(
        "manifest: 'tree' names '\(tree.path)', which is not the last of 'files'")
    }
    let expected = tree.byteCount(for: files.dropLast())
    guard file.byteCount == expected else {
      throw JSONFieldError(
        "manifest: '\(tree.path)' has \(file.byteCount) bytes, expected "
          + "\(expected.map(String.init) ?? "more than there can be") for the pieces of all other "
          + "files")
    }
  }
}

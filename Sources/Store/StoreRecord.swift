import Files
import JSON
public import Registry
import SystemPackage

/// A file of a bundle in a store.
public struct StoredFile: Sendable, Hashable {
  /// The path within the bundle: plain, relative, with `/` between its parts.
  public let path: String
  public let digest: ContentDigest
  public let byteCount: Int
}

/// What a store notes about a name: the files that it stands for, and where they came from.
public struct StoreRecord: Sendable, Hashable {
  /// As `StoreName` writes it.
  public let name: String
  /// By path.
  public let files: [StoredFile]
  /// The digest of the registry's manifest, when the bundle was pulled.
  public let artifact: ContentDigest?

  init(name: StoreName, files: [StoredFile], artifact: ContentDigest? = nil) {
    self.name = name.description
    self.files = files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    self.artifact = artifact
  }

  /// The bytes of all files.
  public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

  /// The name of the directory of links: the digest of the list of files.
  ///
  /// It is not that of the bundle's manifest, because a signature beside it is a file too.
  var directoryName: String { ContentDigest(of: Array(list.serialized().utf8)).hexadecimal }

  private var list: JSONValue {
    .array(
      files.map {
        [
          "path": .string($0.path), "bytes": .integer($0.byteCount),
          "sha256": .string($0.digest.hexadecimal),
        ]
      })
  }
}

extension StoreRecord {
  private static let formatName = "flare-store-name"
  /// A longer record is no honest one: it lists a hundred thousand files.
  private static let maximumByteCount = 16 << 20

  /// 4 PiB, so that sums over many records fit an integer.
  private static let maximumTotal = 1 << 52

  /// The text of the record's file.
  var text: String {
    var document: JSONObject = [
      "format": .string(Self.formatName), "version": 1, "name": .string(name),
    ]
    if let artifact { document["artifact"] = .string(artifact.description) }
    document["files"] = list
    return JSONValue.object(document).serialized(isIndented: true) + "\n"
  }

  /// Reads and checks the record at `path`.
  ///
  /// - Parameter name: what the place of the record says that it is of; nil when it is no such place.
  /// - Throws: `StoreError` when it is not what a store writes, or `FileError`.
  init(contentsOf path: FilePath, of name: StoreName?) throws {
    func malformed(_ problem: String) -> StoreError {
      StoreError(
        .malformedRecord, "\(path)", problem,
        repair: name.map { "\($0.repair); 'flare remove \($0)' gives the name up" }
          ?? "It is the record of no name. Remove the file")
    }
    guard let byteCount = path.fileByteCount, byteCount <= Self.maximumByteCount else {
      throw malformed("is over \(Self.maximumByteCount) bytes long")
    }
    do {
      let fields = try JSONFields(JSONValue(contentsOf: path), subject: "record")
      guard try fields.required("format", as: String.self) == Self.formatName,
        try fields.required("version", as: Int.self) == 1
      else { throw JSONFieldError("is of another format or version") }
      self.name = try fields.required("name")
      artifact = try fields.optional("artifact", as: String.self).map { try ContentDigest($0) }
      files = try Self.files(fields)
    } catch let error as FileError {
      throw error
    } catch let error as JSONFileError {
      throw malformed("is not JSON: \(error.defect)")
    } catch {
      throw malformed("\(error)")
    }
    if let defect = PlainPath.defect(in: files.map(\.path)) { throw malformed(defect) }
  }

  private static func files(_ fields: JSONFields) throws -> [StoredFile] {
    guard let list = fields["files"]?.array else {
      throw JSONFieldError("record: 'files' is missing, expected a list")
    }
    var sum = 0
    return try list.map { element in
      let fields = try JSONFields(element, subject: "record: a file")
      let byteCount = try fields.required("bytes", as: Int.self)
      let (total, overflow) = sum.addingReportingOverflow(byteCount)
      guard byteCount >= 0, !overflow, total <= maximumTotal else {
        throw JSONFieldError("record: 'bytes' is \(byteCount), expected a size")
      }
      sum = total
      return StoredFile(
        path: try fields.required("path"),
        digest: try ContentDigest("sha256:" + fields.required("sha256", as: String.self)),
        byteCount: byteCount)
    }
  }
}

import ArgumentParser
import JSON
import Registry
import Store
import SystemPackage

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the bundles in the store.",
    discussion: """
      The store is where FLARE_STORE says, or in flare below XDG_DATA_HOME, or in \
      ~/.local/share/flare. 'type' is that of the weights, of an adapter its kind and rank; 'shared' \
      are the bytes that other names need as well.

      EXAMPLE:
        flare list
      """)

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    let store = try Store.standard()
    let listing = try store.listing()
    if json {
      writeJSON(listing.json(of: store))
    } else if listing.entries.isEmpty {
      standardOutput.write("\(store.path) is empty. 'flare pull' and 'flare add' fill it\n")
    } else {
      standardOutput.write(listing.text)
    }
  }
}

extension StoreListing {
  fileprivate var text: String {
    var table = TextTable(
      header: ["name", "kind", "architecture", "type", "size", "shared"], labelCount: 4)
    for entry in entries {
      table.add([
        // What a bundle says of itself is anybody's text.
        entry.record.name, printable(entry.kind), printable(entry.architecture ?? "-"),
        printable(entry.type ?? "-"),
        byteText(entry.record.byteCount), byteText(entry.sharedByteCount),
      ])
    }
    return table.text
      + "\(byteText(byteCount)) in all; without sharing \(byteText(unsharedByteCount))\n"
  }

  fileprivate func json(of store: Store) -> JSONValue {
    let names = entries.map { entry in
      var document: JSONObject = [
        "name": .string(entry.record.name), "kind": .string(entry.kind),
        "bytes": .integer(entry.record.byteCount),
        "shared_bytes": .integer(entry.sharedByteCount),
        "path": .string(store.directory(of: entry.record).string),
      ]
      if let architecture = entry.architecture { document["architecture"] = .string(architecture) }
      if let type = entry.type { document["type"] = .string(type) }
      if let digest = entry.record.artifact { document["digest"] = .string(digest.description) }
      return JSONValue.object(document)
    }
    return [
      "store": .string(store.path.string), "names": .array(names), "bytes": .integer(byteCount),
      "unshared_bytes": .integer(unsharedByteCount),
    ]
  }
}

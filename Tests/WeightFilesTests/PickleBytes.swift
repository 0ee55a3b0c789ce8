/// Pieces of pickles, in the letters in which they are written.
enum Pickle {
  static func ascii(_ text: String) -> [UInt8] { Array(text.utf8) }

  static func global(_ module: String, _ name: String) -> [UInt8] {
    ascii("c\(module)\n\(name)\n")
  }

  static func text(_ text: String) -> [UInt8] {
    ascii("X") + little(text.utf8.count, 4) + ascii(text)
  }

  /// An integer of 8 bytes.
  static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + little(value, 8) }

  static func tuple(_ members: [UInt8]...) -> [UInt8] {
    ascii("(") + members.joined() + ascii("t")
  }

  static func integers(_ values: [Int]) -> [UInt8] {
    ascii("(") + values.flatMap(integer) + ascii("t")
  }

  static func storage(
    _ key: String = "0", type: String = "FloatStorage", count: Int
  ) -> [UInt8] {
    tuple(text("storage"), global("torch", type), text(key), text("cpu"), integer(count))
      + ascii("Q")
  }

  /// A tensor over storage 0.
  static func tensor(
    _ extents: [Int], strides: [Int], offset: Int = 0, storage: [UInt8]
  ) -> [UInt8] {
    global("torch._utils", "_rebuild_tensor_v2")
      + tuple(
        storage, integer(offset), integers(extents), integers(strides), [0x89], ascii("}"))
      + ascii("R")
  }

  /// A whole pickle: a dictionary with one member, `w`.
  static func dictionary(_ value: [UInt8]) -> [UInt8] {
    whole(ascii("}") + text("w") + value + ascii("s"))
  }

  static func whole(_ value: [UInt8]) -> [UInt8] { [0x80, 2] + value + ascii(".") }

  /// A file as torch.save writes it, with this pickle and one storage.
  static func file(_ pickle: [UInt8], storage: [UInt8] = [0, 0, 128, 63, 0, 0, 0, 64]) -> ZipBytes {
    ZipBytes(entries: [
      .init(name: "m/data.pkl", data: pickle), .init(name: "m/byteorder", data: ascii("little")),
      .init(name: "m/data/0", data: storage), .init(name: "m/version", data: ascii("3\n")),
    ])
  }

  /// The pickle of `{'w': tensor([1.0, 2.0])}`.
  static let valid = dictionary(tensor([2], strides: [1], storage: storage(count: 2)))
}

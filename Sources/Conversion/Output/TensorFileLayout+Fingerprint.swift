import Crypto
import Files
import Tensors
import WeightFiles

extension TensorFileLayout {
  /// A SHA-256 of everything that is known before a tensor is computed: the header, and which tensor
  /// of which type comes where.
  var fingerprint: String {
    var hash = SHA256()
    hash.update(data: header)
    for entry in entries {
      let info = entry.info
      hash.update(
        data: Array("\(entry.offset) \(info.elementType) \(info.shape) \(info.name)\n".utf8))
    }
    return hexadecimal(hash.finalize())
  }
}

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The integer that Python's `int(text, base)` reads; nil for none.
func pythonInteger(_ text: Text, base: Int) -> Int? {
  var digits = text.trimmed().string.lowercased()
  let isNegative = digits.hasPrefix("-")
  if isNegative || digits.hasPrefix("+") { digits.removeFirst() }
  var base = base
  for (prefix, prefixBase) in [("0x", 16), ("0o", 8), ("0b", 2)]
  where digits.hasPrefix(prefix) && (base == prefixBase || base == 0) {
    digits.removeFirst(2)
    base = prefixBase
    if digits.hasPrefix("_") { digits.removeFirst() }
  }
  guard let plain = withoutUnderscores(digits), !plain.hasPrefix("-"), !plain.hasPrefix("+") else {
    return nil
  }
  return Int((isNegative ? "-" : "") + plain, radix: base == 0 ? 10 : base)
}

/// The number that Python's `float(text)` reads; nil for none.
func pythonFloat(_ text: Text) -> Double? {
  let trimmed = text.trimmed().string.lowercased()
  let allowed = trimmed.allSatisfy { $0.isASCII && ($0.isNumber || "+-.e_".contains($0)) }
  let words = ["inf", "infinity", "nan"]
  guard allowed || words.contains(where: { [$0, "-" + $0, "+" + $0].contains(trimmed) }) else {
    return nil
  }
  return withoutUnderscores(trimmed).flatMap(Double.init)
}

/// Digits without the single underscores between them; nil when one stands elsewhere.
private func withoutUnderscores(_ digits: String) -> String? {
  let parts = digits.split(separator: "_", omittingEmptySubsequences: false)
  guard
    parts.count == 1
      || parts.allSatisfy({ $0.first?.isHexDigit == true && $0.last?.isHexDigit == true })
  else { return nil }
  return parts.joined()
}

/// A number with this many decimals, rounded as its exact value asks for.
func fixedText(of value: Double, decimals: Int) -> String {
  // 309 digits before the point at most, the sign, the point and the end.
  var buffer = [CChar](repeating: 0, count: 320 + decimals)
  let count = buffer.count
  _ = unsafe withVaList([Int32(decimals), value]) { arguments in
    unsafe vsnprintf(&buffer, count, "%.*f", arguments)
  }
  return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// A power of floats.
func floatPower(_ base: Double, _ exponent: Double) throws(TemplateError) -> Double {
  let result = pow(base, exponent)
  guard base != 0 || exponent >= 0 else { throw TemplateError(.evaluation, "division by zero") }
  guard !result.isNaN || base.isNaN || exponent.isNaN else {
    throw TemplateError(.unsupported, "a power that is a complex number")
  }
  guard result.isFinite || !base.isFinite || !exponent.isFinite else {
    throw TemplateError(.evaluation, "a power that is too large")
  }
  return result
}

import Kernels
import Quantization
import Tensors
import Testing

@Suite struct `The layout of grouped tensors` {
  /// The byte and, for int4, the half of it that holds an element, by the text of the specification.
  private func place(_ type: ElementType, row: Int, column: Int, columns: Int) -> (Int, high: Bool)
  {
    let isInt4 = type == .groupedInt4
    let groupBytes = isInt4 ? 256 : 512
    let panelBytes = ((columns / 32) * (groupBytes + 32) + 63) / 64 * 64
    let start = row / 16 * panelBytes + column / 32 * groupBytes + 4 * (row % 16) + column % 4
    let chunk = column % 32 / 4
    return isInt4 ? (start + 64 * (chunk % 4), chunk >= 4) : (start + 64 * chunk, false)
  }

  @Test(arguments: [ElementType.groupedInt8, .groupedInt4])
  func `an element lies where the specification says and nowhere else`(type: ElementType) throws {
    let rows = 35, columns = 96
    let zero: UInt8 = type == .groupedInt4 ? 0x88 : 128
    for kernels in try allKernels() {
      for (row, column) in [(0, 0), (1, 5), (15, 31), (16, 32), (17, 51), (34, 95), (20, 78)] {
        var elements = Array(repeating: Float(0), count: rows * columns)
        elements[row * columns + column] = type == .groupedInt4 ? 2 : 127  // exact in either
        let tensor = try quantize(
          floatTensor(elements, rows: rows, columns: columns), as: type, with: kernels)
        #expect(array(tensor, with: kernels) == elements)

        let stored = bytes(of: tensor)
        let groupBytes = type == .groupedInt4 ? 256 : 512
        let panelBytes = (3 * (groupBytes + 32) + 63) / 64 * 64
        #expect(stored.count == 3 * panelBytes)
        let changed = stored.indices.filter { i in
          i % panelBytes < 3 * groupBytes && stored[i] != zero
        }
        let (expected, high) = place(type, row: row, column: column, columns: columns)
        #expect(changed == [expected])
        if type == .groupedInt4 {
          #expect(high ? stored[expected] & 15 == 8 : stored[expected] >> 4 == 8)
        }
      }
    }
  }

  @Test func `an int8 block agrees with one computed by hand`() throws {
    // Largest magnitude 127, so the scale is 1 and the quants are the numbers rounded to even.
    var row = (0..<32).map { Float($0) }
    row[0] = -127
    row[1] = 0.5
    row[2] = 1.5
    for kernels in try allKernels() {
      let tensor = try quantize(
        floatTensor(row, rows: 1, columns: 32), as: .groupedInt8, with: kernels)
      let stored = bytes(of: tensor)
      #expect(stored.count == 576)  // 512 quants, 32 bytes of scales, 32 of padding
      #expect(stored[0..<4] == [1, 128, 130, 131])
      #expect(stored[64..<68] == [132, 133, 134, 135])
      #expect(stored[448..<452] == [156, 157, 158, 159])
      #expect(stored[4..<8] == [128, 128, 128, 128])  // a row that is only padding
      #expect(stored[512..<514] == [0x00, 0x3C])  // float16 1
      #expect(stored[514..<576].allSatisfy { $0 == 0 })
    }
  }

  @Test func `an int4 block agrees with one computed by hand`() throws {
    // Multiples of a quarter from -8 to 7: representable, so the search must find them exactly.
    let row = (0..<32).map { Float($0 % 16 - 8) / 4 }
    for kernels in try allKernels() {
      let tensor = try quantize(
        floatTensor(row, rows: 1, columns: 32), as: .groupedInt4, with: kernels)
      let stored = bytes(of: tensor)
      #expect(stored.count == 320)  // 256 quants, 32 bytes of scales, 32 of padding
      // Columns 0 and 16 hold -2: quant 0 in both halves; columns 1 and 17 quant 1; and so on.
      #expect(stored[0..<4] == [0x00, 0x11, 0x22, 0x33])
      #expect(stored[192..<196] == [0xCC, 0xDD, 0xEE, 0xFF])
      #expect(stored[256..<258] == [0x00, 0x34])  // float16 0.25
      #expect(array(tensor, with: kernels) == row)
    }
  }
}

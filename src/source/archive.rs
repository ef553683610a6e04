//! Opens what log rotation leaves: gzip, bzip2, xz, zstd or plain, told apart by their first bytes, not by their names.
//!
//! Several compressed streams one behind the other are one, as for the programs that made them. A damaged or cut archive
//! gives what is readable and then an error.

use std::io::{self, BufRead, BufReader, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

/// The text of an archive.
pub type Text = Box<dyn Read + Send>;

/// Takes the compression off, if there is one.
///
/// # Errors
/// The first bytes cannot be read.
pub fn unpacked(source: impl Read + Send + 'static) -> io::Result<Text> {
    let mut source = BufReader::with_capacity(1 << 16, source);
    let start = source.fill_buf()?;
    Ok(match start {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(source)),
        [b'B', b'Z', b'h', ..] => Box::new(MultiBzDecoder::new(source)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(XzDecoder::new_multi_decoder(source)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Box::new(Frames::new(source))
        }
        _ => Box::new(source),
    })
}

/// True when a name says that the file is compressed.
#[must_use]
pub fn is_packed_name(name: &str) -> bool {
    PACKED.iter().any(|extension| name.ends_with(extension))
}

/// Extensions of compressed logs.
pub const PACKED: [&str; 4] = [".gz", ".bz2", ".xz", ".zst"];

/// All frames of a zstd file.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        Self {
            source,
            decoder: FrameDecoder::new(),
            in_frame: false,
        }
    }

    /// Begins the next frame that has data; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(
                        &mut self.source.by_ref().take(u64::from(length)),
                        &mut io::sink(),
                    )?;
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame && !self.begin()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            }
            let read = self.decoder.read(into)?;
            if read > 0 {
                return Ok(read);
            }
            self.in_frame = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(packed: Vec<u8>) -> String {
        let mut text = String::new();
        unpacked(io::Cursor::new(packed))
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }

    #[test]
    fn every_compression_gives_the_same_text_also_in_several_streams() {
        let gzip = |text: &str| {
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        let bzip2 = |text: &str| {
            let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        let xz = |text: &str| {
            let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        let zstd = |text: &str| {
            ruzstd::encoding::compress_to_vec(
                text.as_bytes(),
                ruzstd::encoding::CompressionLevel::Fastest,
            )
        };
        assert_eq!(text([gzip("one\n"), gzip("two\n")].concat()), "one\ntwo\n");
        assert_eq!(
            text([bzip2("one\n"), bzip2("two\n")].concat()),
            "one\ntwo\n"
        );
        assert_eq!(text([xz("one\n"), xz("two\n")].concat()), "one\ntwo\n");
        assert_eq!(text([zstd("one\n"), zstd("two\n")].concat()), "one\ntwo\n");
        assert_eq!(text(b"plain\n".to_vec()), "plain\n");
        assert_eq!(text(Vec::new()), "");
    }

    #[test]
    fn a_cut_archive_is_an_error_after_what_is_readable() {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        out.write_all(&[b'x'; 1000]).unwrap();
        let mut packed = out.finish().unwrap();
        packed.truncate(500);
        let mut read = Vec::new();
        let result = unpacked(io::Cursor::new(packed))
            .unwrap()
            .read_to_end(&mut read);
        assert!(result.is_err());
        assert!(!read.is_empty());
    }
}

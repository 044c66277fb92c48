//! The unified kernel image: systemd's stub with kernel, initrd and command line as sections (UAPI Group's
//! specification 5, "Unified Kernel Image"). The stub is a PE file; sections are added behind its own.

use crate::failure::Failure;

/// Bytes of a section header (PE format, "Section Table").
const SECTION_HEADER: usize = 40;
/// Bytes of the headers before the optional header: signature and COFF header.
const COFF: usize = 24;
/// Section holds data and may be read: `IMAGE_SCN_CNT_INITIALIZED_DATA`, `IMAGE_SCN_MEM_READ`.
const READ_ONLY_DATA: u32 = 0x4000_0040;

/// A part of the image.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its name, eight bytes at most.
    pub name: &'static str,
    /// What is in it.
    pub data: Vec<u8>,
}

/// Adds sections to the stub.
///
/// # Errors
/// When the stub is no PE file, or has no room for more sections.
pub fn assemble(stub: &[u8], sections: &[Section]) -> Result<Vec<u8>, Failure> {
    let mut image = Image::parse(stub)?;
    for section in sections {
        image.add(section)?;
    }
    image.finish()
}

/// The content of the stub's own section, which is measured too.
///
/// # Errors
/// When the stub is no PE file.
pub fn own_section(stub: &[u8], name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let pe = goblin::pe::PE::parse(stub).map_err(|error| Failure::unusable("the stub", error.to_string()))?;
    let found = pe
        .sections
        .iter()
        .find(|section| section.name().is_ok_and(|own| own == name));
    Ok(found.and_then(|section| {
        let begin = usize::try_from(section.pointer_to_raw_data).ok()?;
        let length = usize::try_from(section.virtual_size.min(section.size_of_raw_data)).ok()?;
        Some(stub.get(begin..begin.checked_add(length)?)?.to_vec())
    }))
}

struct Image {
    bytes: Vec<u8>,
    /// Where the COFF header is.
    coff: usize,
    /// Where the next section header goes.
    next_header: usize,
    headers_end: usize,
    file_alignment: usize,
    section_alignment: usize,
    next_address: usize,
    sections: u16,
}

impl Image {
    fn parse(stub: &[u8]) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::unusable("the stub", what);
        let pe = goblin::pe::PE::parse(stub).map_err(|error| wrong(&error.to_string()))?;
        let optional = pe
            .header
            .optional_header
            .ok_or_else(|| wrong("no optional header"))?
            .windows_fields;
        let size = |value: u32| usize::try_from(value).map_err(|_| wrong("a size is too large"));
        let coff = size(pe.header.dos_header.pe_pointer)?;
        let table = coff + COFF + usize::from(pe.header.coff_header.size_of_optional_header);
        let sections = pe.header.coff_header.number_of_sections;
        let section_alignment = size(optional.section_alignment)?;
        let ends: Result<Vec<usize>, Failure> = pe
            .sections
            .iter()
            .map(|section| size(section.virtual_address.saturating_add(section.virtual_size)))
            .collect();
        let end = ends?.into_iter().max().unwrap_or_default();
        Ok(Self {
            bytes: stub.to_vec(),
            coff,
            next_header: table + SECTION_HEADER * usize::from(sections),
            headers_end: size(optional.size_of_headers)?,
            file_alignment: size(optional.file_alignment)?,
            section_alignment,
            next_address: end.next_multiple_of(section_alignment),
            sections,
        })
    }

    fn add(&mut self, section: &Section) -> Result<(), Failure> {
        let raw = self.bytes.len().next_multiple_of(self.file_alignment);
        let raw_size = section.data.len().next_multiple_of(self.file_alignment);
        let header = self.header(section, raw, raw_size)?;
        let end = self.next_header + SECTION_HEADER;
        let place = (end <= self.headers_end)
            .then(|| self.bytes.get_mut(self.next_header..end))
            .flatten();
        place
            .ok_or_else(|| {
                Failure::unusable("the stub", format!("no room for the section {}", section.name))
            })?
            .copy_from_slice(&header);
        self.bytes.resize(raw, 0);
        self.bytes.extend_from_slice(&section.data);
        self.bytes.resize(raw + raw_size, 0);
        self.next_header = end;
        self.next_address = (self.next_address + section.data.len()).next_multiple_of(self.section_alignment);
        self.sections = self.sections.saturating_add(1);
        Ok(())
    }

    fn header(&self, section: &Section, raw: usize, raw_size: usize) -> Result<Vec<u8>, Failure> {
        let too_large = |_| Failure::unusable(section.name, "the section is too large for a PE file");
        let number = |value: usize| u32::try_from(value).map_err(too_large);
        let mut name = [0; 8];
        let shown = section.name.as_bytes();
        name.get_mut(..shown.len())
            .ok_or_else(|| Failure::unusable(section.name, "a section's name has eight bytes at most"))?
            .copy_from_slice(shown);
        let mut header = name.to_vec();
        for field in [section.data.len(), self.next_address, raw_size, raw] {
            header.extend(number(field)?.to_le_bytes());
        }
        // Neither relocations nor line numbers.
        header.extend([0; 12]);
        header.extend(READ_ONLY_DATA.to_le_bytes());
        Ok(header)
    }

    /// Writes the new number of sections and the new size in memory; the checksum is for drivers of Windows only.
    fn finish(mut self) -> Result<Vec<u8>, Failure> {
        let size = u32::try_from(self.next_address)
            .map_err(|_| Failure::unusable("the image", "too large for a PE file"))?;
        self.write(self.coff + 6, &self.sections.to_le_bytes())?;
        self.write(self.coff + COFF + 56, &size.to_le_bytes())?;
        self.write(self.coff + COFF + 64, &[0; 4])?;
        Ok(self.bytes)
    }

    fn write(&mut self, at: usize, value: &[u8]) -> Result<(), Failure> {
        let place = self.bytes.get_mut(at..at + value.len());
        place
            .ok_or_else(|| Failure::unusable("the stub", "it ends within its headers"))?
            .copy_from_slice(value);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "small numbers of the tests")]
mod tests {
    use super::*;

    const PE: usize = 64;
    const OPTIONAL: usize = 240;
    const HEADERS: usize = 1024;

    fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
        bytes[at..at + value.len()].copy_from_slice(value);
    }

    /// The least that is a PE file for x86-64: headers and one section, `.sbat`.
    fn stub() -> Vec<u8> {
        let mut bytes = vec![0; HEADERS + 512];
        put(&mut bytes, 0, b"MZ");
        put(&mut bytes, 0x3c, &(PE as u32).to_le_bytes());
        put(&mut bytes, PE, b"PE\0\0");
        put(&mut bytes, PE + 4, &0x8664_u16.to_le_bytes());
        put(&mut bytes, PE + 6, &1_u16.to_le_bytes());
        put(&mut bytes, PE + 20, &(OPTIONAL as u16).to_le_bytes());
        let optional = PE + COFF;
        put(&mut bytes, optional, &0x020b_u16.to_le_bytes());
        for (at, value) in [
            (32, 4096_u32),
            (36, 512),
            (56, 8192),
            (60, HEADERS as u32),
            (64, 0xffff),
            (108, 16),
        ] {
            put(&mut bytes, optional + at, &value.to_le_bytes());
        }
        let section = optional + OPTIONAL;
        put(&mut bytes, section, b".sbat\0\0\0");
        for (at, value) in [(8, 4_u32), (12, 4096), (16, 512), (20, HEADERS as u32)] {
            put(&mut bytes, section + at, &value.to_le_bytes());
        }
        put(&mut bytes, HEADERS, b"sbat");
        bytes
    }

    fn sections(count: usize) -> Vec<Section> {
        let names = [
            ".osrel", ".cmdline", ".uname", ".pcrpkey", ".initrd", ".linux", ".pcrsig", ".x", ".y", ".z",
        ];
        let of = |(number, name): (usize, &'static str)| Section {
            name,
            data: vec![number as u8 + 1; 700 * (number + 1)],
        };
        names
            .into_iter()
            .cycle()
            .take(count)
            .enumerate()
            .map(of)
            .collect()
    }

    #[test]
    fn the_image_has_the_stubs_section_and_ours_one_after_the_other() {
        let added = sections(3);
        let image = assemble(&stub(), &added).unwrap();
        let pe = goblin::pe::PE::parse(&image).unwrap();
        let names: Vec<&str> = pe
            .sections
            .iter()
            .map(|section| section.name().unwrap())
            .collect();
        assert_eq!(names, [".sbat", ".osrel", ".cmdline", ".uname"]);
        for section in &added {
            assert_eq!(own_section(&image, section.name).unwrap().unwrap(), section.data);
        }
        for pair in pe.sections.windows(2) {
            assert!(pair[0].virtual_address + pair[0].virtual_size <= pair[1].virtual_address);
            assert_eq!(pair[1].virtual_address % 4096, 0);
        }
        let last = pe.sections.last().unwrap();
        let end = (last.virtual_address + last.virtual_size).next_multiple_of(4096);
        let optional = pe.header.optional_header.unwrap();
        assert_eq!(
            (
                optional.windows_fields.size_of_image,
                optional.windows_fields.check_sum
            ),
            (end, 0)
        );
    }

    #[test]
    fn a_stub_without_room_or_that_is_none_is_refused() {
        // 1024 bytes of headers have room for sixteen sections, of which one is the stub's.
        assert!(assemble(&stub(), &sections(15)).is_ok());
        let refused = assemble(&stub(), &sections(17)).unwrap_err().to_string();
        assert!(refused.contains("no room for the section"), "{refused}");
        assert!(assemble(b"MZ", &sections(1)).is_err());
        assert_eq!(own_section(&stub(), ".none").unwrap(), None);
    }

    #[test]
    fn a_name_of_more_than_eight_bytes_is_refused() {
        let section = Section {
            name: ".too-long-a-name",
            data: vec![1],
        };
        assert!(assemble(&stub(), &[section]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_stub_makes_it_panic(bytes: Vec<u8>, at in 0..1500_usize, value: u8) {
            let _ = assemble(&bytes, &sections(2));
            let mut near = stub();
            near[at] = value;
            let _ = assemble(&near, &sections(2));
        }
    }
}

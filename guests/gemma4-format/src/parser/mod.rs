use lapidary_guest::*;
/// x
pub struct Reader;
impl Reader {
    pub fn open(_r: &OpenRequest) -> Self {
        Self
    }
}
impl Parser for Reader {
    fn push(&mut self, _pieces: Vec<TokenPiece>) -> Result<Vec<Event>, Error> {
        Ok(vec![])
    }
    fn finish(&mut self, _reason: StopReason) -> Result<Vec<Event>, Error> {
        Ok(vec![])
    }
}

//! gate
fn main(){}

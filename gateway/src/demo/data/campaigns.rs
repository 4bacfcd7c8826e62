//! Campaigns that were run, and what people bought after them or without them.

use chrono::{Days, NaiveDate};

use super::people::{self, About, Crowd, Dice, Person};
use super::{CAMPAIGN_DAYS, CONVERSION_DAYS, CampaignName, Company, Demo, WriteRow};

/// A campaign and who saw it.
#[derive(Debug)]
pub struct Campaign {
    pub company: Company,
    pub name: CampaignName,
    pub impressions: u32,
    pub columns: &'static str,
    reach: Crowd,
    hashed: bool,
    /// What a thousand impressions cost, in dollars: from and up to.
    cost_per_mille: (u32, u32),
    placements: &'static [&'static str],
    creatives: &'static [&'static str],
}

/// TV Tube shows Luma's films to the customers both have, and to as many again and half who might become some.
pub static TV_TUBE_FOR_LUMA: Campaign = Campaign {
    company: Company::TvTube,
    name: CampaignName { id: "luma-run-further", name: "Run further" },
    impressions: 900_000,
    columns: "hashed_email,time,campaign_id,placement,creative,cost,viewable,kind",
    reach: Crowd(&[people::TV_TUBE.start..people::LUMA.end, people::LUMA.end..312_000]),
    hashed: true,
    cost_per_mille: (16, 34),
    placements: &["Live sport", "Drama pre-roll", "Documentary mid-roll", "Home screen", "Comedy pre-roll"],
    creatives: &["Run further 30s", "Trail 15s", "Made for mornings 6s"],
};

/// Luma tells the customers it shares with Fit Apparel, and some others, about Fit Apparel's tights.
pub static LUMA_WITH_FIT_APPAREL: Campaign = Campaign {
    company: Company::Luma,
    name: CampaignName { id: "luma-together", name: "Better together at Luma" },
    impressions: 160_000,
    columns: "email,time,campaign_id,placement,creative,cost,viewable,kind",
    reach: Crowd(&[people::FIT_APPAREL[0].start..people::FIT_APPAREL[0].end, 60_000..100_000]),
    hashed: false,
    cost_per_mille: (4, 9),
    placements: &["App home", "Newsletter", "Order confirmation"],
    creatives: &["Shoes meet tights", "The winter kit"],
};

/// Fit Apparel tells the customers it shares with Luma, and some others, about Luma's shoes.
pub static FIT_APPAREL_WITH_LUMA: Campaign = Campaign {
    company: Company::FitApparel,
    name: CampaignName { id: "fit-together", name: "Better together at Fit Apparel" },
    impressions: 140_000,
    columns: "email,time,campaign_id,placement,creative,cost,viewable,kind",
    reach: Crowd(&[people::FIT_APPAREL[0].start..people::FIT_APPAREL[0].end, 530_000..560_000]),
    hashed: false,
    cost_per_mille: (5, 11),
    placements: &["Class booking", "Newsletter", "Web shop"],
    creatives: &["Tights meet shoes", "The winter kit"],
};

/// Mondays to Sundays are not told apart, but a campaign starts slowly and has its best days.
const DAY_WEIGHTS: [u32; CAMPAIGN_DAYS as usize] = [60, 75, 85, 90, 100, 120, 125, 95, 90, 92, 98, 110, 118, 70];

const SECONDS_A_DAY: u32 = 86_400;

/// One impression: who, and how many seconds after the campaign's start.
#[derive(Debug, Clone, Copy)]
struct Impression {
    person: Person,
    second: u32,
}

impl Campaign {
    /// Writes one impression after the other, the earliest first.
    pub fn rows(&'static self, demo: Demo) -> WriteRow {
        let days = day_names(demo.campaign_start);
        Box::new(move |row, out| {
            let mut dice = Dice::new(demo.seed, About::Impression(self.company), row);
            let impression = self.impression(row, &mut dice);
            if self.hashed {
                out.extend_from_slice(&people::hashed_email(demo.seed, impression.person));
            } else {
                people::write_email(demo.seed, impression.person, out);
            }
            out.push(b',');
            write_time(&days, impression.second, out);
            for text in [self.name.id, dice.of(self.placements), dice.of(self.creatives)] {
                out.push(b',');
                out.extend_from_slice(text.as_bytes());
            }
            let (from, to) = self.cost_per_mille;
            out.extend_from_slice(b",0.");
            // A dollar a thousand is a tenth of a cent each: four decimals take it to a tenth of that.
            people::write_number(from * 10 + dice.below((to - from) * 10), 4, out);
            let viewable = dice.per_mille(740);
            let kind = match dice.below(1_000) {
                0..9 if viewable => "click",
                9..80 if viewable => "engaged_view",
                _ => "view",
            };
            out.extend_from_slice(if viewable { b",true," } else { b",false," });
            out.extend_from_slice(kind.as_bytes());
            out.push(b'\n');
        })
    }

    /// Some people see much more of a campaign than others: the square brings low places up often.
    fn impression(&self, row: u32, dice: &mut Dice) -> Impression {
        let share = dice.fraction().powi(2);
        let place = (share * f64::from(self.reach.len() - 1)) as u32;
        Impression { person: self.reach.at(place), second: self.second(row) }
    }

    /// When the impression of that row was: the rows spread over the days by their weights.
    fn second(&self, row: u32) -> u32 {
        let rows = u64::from(self.impressions);
        let mut left = u64::from(row) * u64::from(DAY_WEIGHTS.iter().sum::<u32>());
        let mut day_start = 0;
        for weight in DAY_WEIGHTS.map(u64::from) {
            if left < weight * rows {
                return day_start + (left * u64::from(SECONDS_A_DAY) / (weight * rows)) as u32;
            }
            left -= weight * rows;
            day_start += SECONDS_A_DAY;
        }
        day_start - 1
    }
}

/// An advertiser's sales and sign-ups.
#[derive(Debug)]
pub struct Shop {
    pub company: Company,
    pub conversions: u32,
    order_letter: u8,
    customers: Crowd,
    /// Campaigns that brought some of the conversions, and how many in 1,000 each tried to bring.
    campaigns: &'static [(&'static Campaign, u32)],
}

/// The header of every file of conversions.
pub const CONVERSION_COLUMNS: &str = "email,time,type,value,order_id,category,new_customer";

pub static LUMA: Shop = Shop {
    company: Company::Luma,
    conversions: 40_000,
    order_letter: b'L',
    customers: Crowd(&[people::LUMA]),
    campaigns: &[(&TV_TUBE_FOR_LUMA, 420), (&FIT_APPAREL_WITH_LUMA, 150)],
};

pub static FIT_APPAREL: Shop = Shop {
    company: Company::FitApparel,
    conversions: 28_000,
    order_letter: b'F',
    customers: Crowd(&people::FIT_APPAREL),
    campaigns: &[(&LUMA_WITH_FIT_APPAREL, 350)],
};

/// Category, and what a purchase in it costs in dollars: from and up to.
const CATEGORIES: [(&str, u32, u32); 5] =
    [("Shoes", 70, 190), ("Tops", 25, 80), ("Tights", 40, 110), ("Jackets", 80, 240), ("Accessories", 9, 45)];

/// A purchase or sign-up: who, and how many seconds after the campaigns' start.
struct Conversion {
    person: Person,
    second: u32,
}

impl Shop {
    /// Writes the conversions; every hundredth is the one before it again, as when an order is sent twice.
    pub fn rows(&'static self, demo: Demo) -> WriteRow {
        let days = day_names(demo.campaign_start);
        Box::new(move |row, out| {
            let order = if row % 100 == 99 { row - 1 } else { row };
            let mut dice = Dice::new(demo.seed, About::Conversion(self.company), order);
            let conversion = self.conversion(demo.seed, &mut dice);
            people::write_email(demo.seed, conversion.person, out);
            out.push(b',');
            write_time(&days, conversion.second, out);
            let (category, from, to) = dice.of(&CATEGORIES);
            let purchase = dice.per_mille(780);
            if purchase {
                out.extend_from_slice(b",purchase,");
                people::write_number(from + dice.below(to - from), 1, out);
                out.extend_from_slice(if dice.per_mille(500) { b".00," } else { b".95," });
            } else {
                out.extend_from_slice(b",sign_up,0.00,");
            }
            out.push(self.order_letter);
            people::write_number(order + 1, 7, out);
            out.push(b',');
            out.extend_from_slice(if purchase { category } else { "Membership" }.as_bytes());
            out.extend_from_slice(if dice.per_mille(230) { b",true\n" } else { b",false\n" });
        })
    }

    fn conversion(&self, seed: u64, dice: &mut Dice) -> Conversion {
        let mut which = dice.below(1_000);
        for &(campaign, share) in self.campaigns {
            if which < share {
                return self.brought_by(campaign, seed, dice).unwrap_or_else(|| self.without_campaign(dice));
            }
            which -= share;
        }
        self.without_campaign(dice)
    }

    /// Up to a week after an impression, most of them soon after; none if it reached only strangers.
    fn brought_by(&self, campaign: &Campaign, seed: u64, dice: &mut Dice) -> Option<Conversion> {
        (0..8).find_map(|_| {
            let row = dice.below(campaign.impressions);
            let mut its_dice = Dice::new(seed, About::Impression(campaign.company), row);
            let impression = campaign.impression(row, &mut its_dice);
            let week = f64::from((CONVERSION_DAYS - CAMPAIGN_DAYS) * SECONDS_A_DAY - 1);
            let later = (dice.fraction().powi(3) * week) as u32;
            self.customers
                .contains(impression.person)
                .then_some(Conversion { person: impression.person, second: impression.second + later })
        })
    }

    fn without_campaign(&self, dice: &mut Dice) -> Conversion {
        Conversion {
            person: self.customers.at(dice.below(self.customers.len())),
            second: dice.below(CONVERSION_DAYS * SECONDS_A_DAY),
        }
    }
}

/// The dates from `start` on as text, for all days of the conversions.
fn day_names(start: NaiveDate) -> Vec<String> {
    (0..CONVERSION_DAYS)
        .map(|day| start.checked_add_days(Days::new(u64::from(day))).unwrap_or(NaiveDate::MAX).to_string())
        .collect()
}

/// Appends a time in RFC 3339.
fn write_time(days: &[String], second: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(days[(second / SECONDS_A_DAY) as usize].as_bytes());
    let of_day = second % SECONDS_A_DAY;
    for (mark, number) in [(b'T', of_day / 3_600), (b':', of_day / 60 % 60), (b':', of_day % 60)] {
        out.push(mark);
        people::write_number(number, 2, out);
    }
    out.push(b'Z');
}

//! The statements. Both databases take the same ones; what they are asked with has types of its own in each.

macro_rules! keep {
    ($module:ident, $records:ident, $database:ty, $begin:literal) => {
        pub(super) mod $module {
            use crate::{
                clock::UnixTime,
                eventual::Eventual,
                otp::{Found, Sealed, Subject},
                records::{
                    Binding, BindingId, Bound, Device, DeviceTag, KeptPhone, MOST_DEVICES, Mark,
                    PhoneTag, Records, Relinked, SealedPhone, Told, Unopened,
                    sql::$records,
                },
            };
            use sqlx::{Database, Error, Pool, query, query_as, query_scalar};

            type Db = $database;
            type Connection = <Db as Database>::Connection;
            type Answer<T> = Result<T, Error>;
            /// Binding, tag, first and last login, whether it joined.
            type Row = (Vec<u8>, Vec<u8>, i64, i64, bool);

            /// What others change meanwhile is looked at anew, but not for ever.
            const TRIES: usize = 4;

            impl Records for $records {
                fn open(&self, mark: Mark) -> Eventual<Result<(), Unopened>> {
                    self.asking().open(self.clone().migrate(mark))
                }

                fn ready(&self) -> Told<()> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        let one: i64 = query_scalar("SELECT one FROM secrets_mark").fetch_one(&pool).await?;
                        if one == 1 { Ok(()) } else { Err(Error::RowNotFound) }
                    })
                }

                fn find(&self, phone: PhoneTag) -> Told<Option<Subject>> {
                    let pool = self.pool();
                    self.asking().ask(async move { find(&pool, phone).await })
                }

                fn find_or_create(
                    &self,
                    phone: SealedPhone,
                    subject: Subject,
                    now: UnixTime,
                ) -> Told<Found> {
                    let pool = self.pool();
                    self.asking().ask(async move { create(&pool, &phone, subject, now).await })
                }

                fn phone(&self, subject: Subject) -> Told<Option<KeptPhone>> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        let statement = "SELECT phone, changed_at FROM subjects WHERE subject = $1";
                        let row: Option<(Vec<u8>, Option<i64>)> =
                            query_as(statement).bind(subject.as_str()).fetch_optional(&pool).await?;
                        let sealed = |bytes: Vec<u8>| Sealed::from_bytes(&bytes);
                        Ok(row.map(|(phone, at)| KeptPhone { sealed: sealed(phone), changed_at: at.map(time) }))
                    })
                }

                fn relink(
                    &self,
                    subject: Subject,
                    from: PhoneTag,
                    to: SealedPhone,
                    now: UnixTime,
                ) -> Told<Relinked> {
                    let pool = self.pool();
                    self.asking().ask(async move { relink(&pool, (&subject, from), &to, now).await })
                }

                fn bind(&self, binding: Binding) -> Told<Bound> {
                    let pool = self.pool();
                    self.asking().ask(async move { bind(&pool, &binding).await })
                }

                fn devices(&self, subject: Subject) -> Told<Vec<Device>> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        let rows: Vec<Row> = query_as(
                            "SELECT binding, device, bound_at, seen_at, joined FROM devices \
                             WHERE subject = $1 ORDER BY seen_at DESC, binding",
                        )
                        .bind(subject.as_str())
                        .fetch_all(&pool)
                        .await?;
                        rows.into_iter().map(device).collect()
                    })
                }

                fn unbind(&self, subject: Subject, binding: BindingId) -> Told<bool> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        let done = query("DELETE FROM devices WHERE subject = $1 AND binding = $2")
                            .bind(subject.as_str())
                            .bind(&binding.0[..])
                            .execute(&pool)
                            .await?;
                        Ok(done.rows_affected() > 0)
                    })
                }

                fn erase(&self, subject: Subject) -> Told<bool> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        let mut both = pool.begin_with($begin).await?;
                        let mut gone = 0;
                        for statement in [
                            "DELETE FROM devices WHERE subject = $1",
                            "DELETE FROM subjects WHERE subject = $1",
                        ] {
                            let done = query(statement).bind(subject.as_str());
                            gone += done.execute(&mut *both).await?.rows_affected();
                        }
                        both.commit().await?;
                        Ok(gone > 0)
                    })
                }

                fn opt_out(&self, phone: PhoneTag, since: UnixTime) -> Told<()> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        query("INSERT INTO opt_outs (phone_tag, since) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                            .bind(&phone.0[..])
                            .bind(written(since))
                            .execute(&pool)
                            .await
                            .map(|_| ())
                    })
                }

                fn opt_in(&self, phone: PhoneTag) -> Told<bool> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        let done = query("DELETE FROM opt_outs WHERE phone_tag = $1").bind(&phone.0[..]);
                        Ok(done.execute(&pool).await?.rows_affected() > 0)
                    })
                }

                fn is_opted_out(&self, phone: PhoneTag) -> Told<bool> {
                    let pool = self.pool();
                    self.asking().ask(async move {
                        let since: Option<i64> = query_scalar("SELECT since FROM opt_outs WHERE phone_tag = $1")
                            .bind(&phone.0[..])
                            .fetch_optional(&pool)
                            .await?;
                        Ok(since.is_some())
                    })
                }
            }

            /// Whether it is the mark that is there; where there is none, it is from now on.
            pub(in crate::records::sql) async fn mark(
                connection: &mut Connection,
                mark: Mark,
            ) -> Answer<bool> {
                query("INSERT INTO secrets_mark (one, mark) VALUES (1, $1) ON CONFLICT DO NOTHING")
                    .bind(&mark.0[..])
                    .execute(&mut *connection)
                    .await?;
                let kept: Vec<u8> = query_scalar("SELECT mark FROM secrets_mark")
                    .fetch_one(connection)
                    .await?;
                Ok(kept == mark.0)
            }

            async fn find(pool: &Pool<Db>, phone: PhoneTag) -> Answer<Option<Subject>> {
                let found: Option<String> = query_scalar("SELECT subject FROM subjects WHERE phone_tag = $1")
                    .bind(&phone.0[..])
                    .fetch_optional(pool)
                    .await?;
                found.map(|subject| Subject::new(&subject).ok_or_else(spoilt)).transpose()
            }

            async fn create(
                pool: &Pool<Db>,
                phone: &SealedPhone,
                subject: Subject,
                now: UnixTime,
            ) -> Answer<Found> {
                for _ in 0..TRIES {
                    if let Some(subject) = find(pool, phone.tag).await? {
                        return Ok(Found { subject, is_new: false });
                    }
                    let created = query(
                        "INSERT INTO subjects (subject, phone_tag, phone, created_at) \
                         VALUES ($1, $2, $3, $4) ON CONFLICT (phone_tag) DO NOTHING",
                    )
                    .bind(subject.as_str())
                    .bind(&phone.tag.0[..])
                    .bind(phone.sealed.as_bytes())
                    .bind(written(now))
                    .execute(pool)
                    .await?;
                    if created.rows_affected() == 1 {
                        return Ok(Found { subject, is_new: true });
                    }
                }
                Err(Error::RowNotFound)
            }

            async fn relink(
                pool: &Pool<Db>,
                (subject, from): (&Subject, PhoneTag),
                to: &SealedPhone,
                now: UnixTime,
            ) -> Answer<Relinked> {
                let moved = query(
                    "UPDATE subjects SET phone_tag = $3, phone = $4, changed_at = $5 \
                     WHERE subject = $1 AND phone_tag = $2",
                )
                .bind(subject.as_str())
                .bind(&from.0[..])
                .bind(&to.tag.0[..])
                .bind(to.sealed.as_bytes())
                .bind(written(now))
                .execute(pool)
                .await;
                match moved {
                    Ok(moved) if moved.rows_affected() == 1 => Ok(Relinked::Moved),
                    Ok(_) => Ok(Relinked::Nobody),
                    Err(Error::Database(error)) if error.is_unique_violation() => Ok(Relinked::Taken),
                    Err(error) => Err(error),
                }
            }

            /// One step: a device that was answered is kept, whoever unbinds it meanwhile or has too many.
            async fn bind(pool: &Pool<Db>, binding: &Binding) -> Answer<Bound> {
                let mut step = pool.begin_with($begin).await?;
                // Read to its end: SQLite says only then whether the row could be written.
                let rows: Vec<Row> = query_as(
                    "INSERT INTO devices (binding, subject, device, bound_at, seen_at, joined) \
                     VALUES ($1, $2, $3, $4, $4, $5) \
                     ON CONFLICT (subject, device) DO UPDATE SET seen_at = excluded.seen_at \
                     RETURNING binding, device, bound_at, seen_at, joined",
                )
                .bind(&binding.id.0[..])
                .bind(binding.subject.as_str())
                .bind(&binding.device.0[..])
                .bind(written(binding.now))
                .bind(binding.joins)
                .fetch_all(&mut *step)
                .await?;
                let kept = device(rows.into_iter().next().ok_or(Error::RowNotFound)?)?;
                let is_new = kept.id.0 == binding.id.0;
                if is_new {
                    query(
                        "DELETE FROM devices WHERE subject = $1 AND binding IN (SELECT binding FROM devices \
                         WHERE subject = $1 ORDER BY seen_at DESC, binding LIMIT 1000 OFFSET $2)",
                    )
                    .bind(binding.subject.as_str())
                    .bind(i64::from(MOST_DEVICES))
                    .execute(&mut *step)
                    .await?;
                }
                step.commit().await?;
                Ok(Bound { device: kept, is_new })
            }

            fn device((binding, tag, bound_at, seen_at, joined): Row) -> Answer<Device> {
                let bytes = |bytes: Vec<u8>| <[u8; 16]>::try_from(bytes).map_err(|_| spoilt());
                Ok(Device {
                    id: BindingId(bytes(binding)?),
                    tag: DeviceTag(bytes(tag)?),
                    bound_at: time(bound_at),
                    seen_at: time(seen_at),
                    joined,
                })
            }

            fn time(micros: i64) -> UnixTime {
                UnixTime::from_micros(micros.unsigned_abs())
            }

            /// Microseconds fit until the year 294,247.
            fn written(time: UnixTime) -> i64 {
                i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
            }

            /// Somebody else has written into the table.
            fn spoilt() -> Error {
                Error::Decode("a row of the records is none of ours".into())
            }
        }
    };
}

keep!(sqlite, Sqlite, sqlx::Sqlite, "BEGIN IMMEDIATE");
keep!(postgres, Postgres, sqlx::Postgres, "BEGIN");

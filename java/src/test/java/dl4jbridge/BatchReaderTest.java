package dl4jbridge;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;

class BatchReaderTest {
    @Test
    void copiesAreDenseFloatsInOrderCWhateverTheArrayIs() {
        INDArray numbers = Nd4j.arange(24).castTo(DataType.INT32).reshape('c', 2, 3, 4);
        INDArray[] views = {numbers, numbers.dup('f'), numbers.permute(0, 2, 1).dup('f').permute(0, 2, 1)};
        for (INDArray view : views) {
            Tensor copy = Tensor.copyOf(view);
            assertEquals("FLOAT", copy.dataType());
            assertEquals("c", copy.order());
            assertArrayEquals(new long[] {12, 4, 1}, copy.strides());
            assertEquals(numbers.castTo(DataType.FLOAT), copy.array());
            copy.close();
            assertFalse(view.wasClosed());
        }
    }

    @Test
    void evenACopyOfAFloatArrayIsItsOwnMemory() {
        INDArray numbers = Nd4j.create(DataType.FLOAT, 2, 3);
        assertNotSame(numbers, Tensor.copyOf(numbers).array());
        assertFalse(Tensor.of(numbers).address() == Tensor.copyOf(numbers).address());
    }

    @Test
    void aDataSetIsOneBatchWithItsMasks() {
        INDArray ones = Nd4j.ones(2, 3, 4);
        BatchReader reader = BatchReader.of(new DataSet(ones, ones, null, Nd4j.ones(2, 4)));
        assertTrue(reader.next());
        assertArrayEquals(new long[] {2, 3, 4}, reader.features().shape());
        assertNull(reader.featuresMask());
        assertArrayEquals(new long[] {2, 4}, reader.labelsMask().shape());
        assertFalse(reader.next());
    }

    @Test
    void otherThingsAreNoBatches() {
        assertNull(BatchReader.of(new ArrayList<>()));
        assertNull(BatchReader.ofArrays(Nd4j.ones(2), "labels"));
        assertEquals("not a DataSetIterator", BatchReader.problemOf("java.lang.String"));
        assertEquals("no such class", BatchReader.problemOf("some.Thing"));
        assertEquals("abstract", BatchReader.problemOf("org.nd4j.linalg.dataset.api.iterator.DataSetIterator"));
    }
}
